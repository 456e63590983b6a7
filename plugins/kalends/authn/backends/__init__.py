"""Sources of accounts: Apache's files, LDAP, PAM, IMAP and others."""
