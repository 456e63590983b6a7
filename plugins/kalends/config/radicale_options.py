"""Options of Radicale's schema: the effect of each in Kalends, or what to use instead of it.

`EFFECTIVE`, `FIXED` and `WITHOUT_EFFECT` together name each option once.
"""

from __future__ import annotations

from collections.abc import Mapping

_OTHER_HANDLERS = "of the requests that Radicale's own handlers answer"
_PROFILE = f"profiles {_OTHER_HANDLERS}"
_LOGGED = f"the log {_OTHER_HANDLERS}"
_LDAP, _IMAP, _PAM, _DOVECOT, _OAUTH2 = (
    f"how directories = {name} verifies logins"
    for name in ("ldap", "imap", "pam", "dovecot", "oauth2")
)

EFFECTIVE: Mapping[str, Mapping[str, str]] = {
    "server": {
        "hosts": "the addresses to listen on",
        "max_content_length": "the largest body of a request",
        "max_resource_size": "the largest calendar object or contact",
        "timeout": "the time that a client may take for a header",
        "ssl": "TLS on the ports of hosts",
        "protocol": "the accepted versions of TLS",
        "ciphersuite": "the accepted ciphers of TLS 1.2 and older",
        "certificate": "the certificate that is presented to clients",
        "key": "the key of the certificate",
        "certificate_authority": "the CA that must have issued a client's certificate",
        "script_name": "the prefix behind a proxy that announces none",
        "validate_user_value": "the accepted account names",
        "validate_path_value": "the accepted paths",
    },
    "auth": {
        "cache_logins": "memory for passwords that a directory has accepted",
        "cache_successful_logins_expiry": "how long they are remembered",
        "htpasswd_filename": "Apache's user file",
        "dovecot_connection_type": _DOVECOT,
        "dovecot_socket": _DOVECOT,
        "dovecot_host": _DOVECOT,
        "dovecot_port": _DOVECOT,
        "realm": "the name in login dialogs; the realm of HTTP Digest",
        "ldap_uri": _LDAP,
        "ldap_base": _LDAP,
        "ldap_reader_dn": _LDAP,
        "ldap_secret": _LDAP,
        "ldap_secret_file": _LDAP,
        "ldap_filter": _LDAP,
        "ldap_user_attribute": _LDAP,
        "ldap_security": _LDAP,
        "ldap_ssl_verify_mode": _LDAP,
        "ldap_ssl_ca_file": _LDAP,
        "ldap_ignore_attribute_create_modify_timestamp": _LDAP,
        "imap_host": _IMAP,
        "imap_security": _IMAP,
        "imap_append_domain": _IMAP,
        "oauth2_token_endpoint": _OAUTH2,
        "oauth2_client_id": _OAUTH2,
        "oauth2_client_secret": _OAUTH2,
        "pam_group_membership": _PAM,
        "pam_service": _PAM,
        "strip_domain": "the account name in a directory",
        "uc_username": "the account name in a directory",
        "lc_username": "the account name in a directory",
        "urldecode_username": "the account name in a directory",
    },
    "rights": {
        "permit_delete_collection": "clients may delete a collection",
    },
    "storage": {
        "max_sync_token_age": "how long a sync-token is valid",
        "strict_preconditions": "a PUT that replaces an object needs If-Match",
        "predefined_collections": "the collections of a new account",
    },
    "web": {
        "type": "the pages at /.web/",
        "prefer_browser_login": "how the collection manager at /.web/ logs in",
    },
    "logging": {
        "level": "the lines that are logged",
        "limit_content": _LOGGED,
        "request_header_on_debug": _LOGGED,
        "request_content_on_debug": _LOGGED,
        "response_header_on_debug": _LOGGED,
        "response_content_on_debug": _LOGGED,
        "request_header_on_notice_condition": _LOGGED,
        "request_content_on_notice_condition": _LOGGED,
        "response_header_on_notice_condition": _LOGGED,
        "response_content_on_notice_condition": _LOGGED,
        "profiling": _PROFILE,
        "profiling_per_request_min_duration": _PROFILE,
        "profiling_per_request_header": _PROFILE,
        "profiling_per_request_xml": _PROFILE,
        "profiling_per_request_method_interval": _PROFILE,
        "profiling_top_x_functions": _PROFILE,
    },
    "headers": {},  # any name: each is a header of the answers
    "reporting": {
        "max_expand_occurrence": "the most occurrences that a REPORT with expand returns",
        "max_freebusy_occurrence": "the most occurrences that a free-busy report reads",
        "freebusy_view_past_days": "the days that ?view=freebusy shows",
        "freebusy_view_future_days": "the days that ?view=freebusy shows",
    },
}
"""The options with an effect, and the effect."""

FIXED: Mapping[tuple[str, str], str] = {
    ("storage", "type"): "kalends.storage",
    ("auth", "type"): "kalends.auth",
    ("rights", "type"): "kalends.rights",
    ("sharing", "type"): "none",
    ("hook", "type"): "none",
    ("group", "type"): "none",
}
"""The options that can have one value only in Kalends."""

_GROUP_FILE = "[auth] htgroup_filename names the group file"
_UTF_8 = "everything is read and written as UTF-8; leave it out"
_LDAP_GROUPS = "groups come from [auth] htgroup_filename"
_DATABASE = "collections are in [storage] database; kalends import copies files into it"
_NO_CACHE_FILES = "[storage] database needs no files beside it; leave it out"
_SHARE = "share by groups ([auth] htgroup_filename) or by feeds ([kalends] feeds)"
_NO_NOTIFICATIONS = "Kalends sends no notifications; feeds ([kalends] feeds) show changes"
_THROTTLED = "Kalends throttles failed logins itself; leave it out"

WITHOUT_EFFECT: Mapping[str, Mapping[str, str]] = {
    "server": {
        "type": "Kalends has its own server; leave it out",
        "max_connections": "[kalends] workers and threads limit the requests at a time",
        "delay_on_error": "no response is delayed; leave it out",
        "max_vevent_rrule_occurrence": "the limit for recurrence rules is fixed; leave it out",
    },
    "encoding": {"request": _UTF_8, "stock": _UTF_8},
    "auth": {
        "cache_failed_logins_expiry": _THROTTLED,
        "htpasswd_encryption": "each line of htpasswd_filename has its own format; leave it out",
        "htpasswd_cache": "the file is reloaded when it has changed; leave it out",
        "remote_ip_source": "[kalends] trusted_proxies names the proxies that may report it",
        "delay": _THROTTLED,
        "ldap_groups_attribute": _LDAP_GROUPS,
        "ldap_group_members_attribute": _LDAP_GROUPS,
        "ldap_group_base": _LDAP_GROUPS,
        "ldap_group_filter": _LDAP_GROUPS,
    },
    "group": {
        "htgroup_filename": _GROUP_FILE,
        "htgroup_cache": "the group file is reloaded when it has changed; leave it out",
        "group_collections_folder": "the calendars of groups are at /GROUPS/; leave it out",
    },
    "rights": {
        "permit_overwrite_collection": (
            "a whole calendar is replaced only if its owner marks it as published; leave it out"
        ),
        "file": "members of a group share calendars ([auth] htgroup_filename)",
    },
    "storage": {
        "filesystem_folder": _DATABASE,
        "filesystem_cache_folder": _NO_CACHE_FILES,
        "use_cache_subfolder_for_item": _NO_CACHE_FILES,
        "use_cache_subfolder_for_history": _NO_CACHE_FILES,
        "use_cache_subfolder_for_synctoken": _NO_CACHE_FILES,
        "use_mtime_and_size_for_item_cache": _NO_CACHE_FILES,
        "folder_umask": "the permissions of the database's folder control access to it",
        "skip_broken_item": "kalends check reports unreadable objects; leave it out",
        "hook": "run kalends export or kalends backup from a timer instead",
    },
    "sharing": dict.fromkeys(
        (
            "database_path",
            "collection_by_token",
            "collection_by_map",
            "permit_create_token",
            "permit_create_map",
            "permit_properties_overlay",
            "enforce_properties_overlay",
            "default_permissions_create_token",
            "default_permissions_create_map",
            "conversion_bday_summary_template",
            "conversion_bday_description_template",
            "conversion_bday_alarm_trigger_template",
            "conversion_bday_categories",
            "conversion_bday_age_max",
        ),
        _SHARE,
    ),
    "hook": dict.fromkeys(
        (
            "dryrun",
            "rabbitmq_endpoint",
            "rabbitmq_topic",
            "rabbitmq_queue_type",
            "smtp_server",
            "smtp_port",
            "smtp_security",
            "smtp_ssl_verify_mode",
            "smtp_username",
            "smtp_password",
            "smtp_password_file",
            "from_email",
            "mass_email",
            "new_or_added_to_event_template",
            "deleted_or_removed_from_event_template",
            "updated_event_template",
        ),
        _NO_NOTIFICATIONS,
    ),
    "logging": {
        "mask_passwords": "credentials are in no log line; leave it out",
        "trace_filter": "[logging] level alone selects what is logged; leave it out",
        "bad_put_request_content": "the response to a refused PUT says what is wrong; leave it out",
        "backtrace_on_debug": "[logging] level = debug shows tracebacks; leave it out",
        "rights_rule_doesnt_match_on_debug": "Kalends has no rights file; leave it out",
        "storage_cache_actions_on_debug": "the store has no item cache; leave it out",
    },
}
"""The options without an effect, and what to use instead."""

NEEDS_TLS = ("protocol", "ciphersuite", "certificate_authority")
"""The options of ``[server]`` that have an effect only with ``ssl``."""

NEEDS_DIRECTORY = (
    *("lc_username", "uc_username", "strip_domain", "urldecode_username"),
    *("cache_logins", "cache_successful_logins_expiry"),
)
"""The options of ``[auth]`` that have an effect only with directories other than the files."""

OF_DIRECTORIES = ("ldap", "imap", "pam", "dovecot", "oauth2")
"""The directories whose names begin the names of their options of ``[auth]``, such as ldap_uri."""
