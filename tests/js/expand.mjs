// Reads a JSON array of iCalendar texts on standard input and prints a JSON array that says of each
// what ical.js sees in it: {"entries": [...]} with uid, component, recurrence-id and the instants of
// all starts within so many years (first argument) of the first one (null where they cannot be
// told), or {"error": "..."}.
import ICAL from "ical.js";
import { readFileSync } from "node:fs";

const YEARS = Number(process.argv[2] ?? "2");
const MOST = 20000;
const KINDS = ["vevent", "vtodo", "vjournal"];

/** One instant: a date, a floating time, or UTC with a Z at its end. */
function instant(time) {
  if (time.isDate || time.zone === ICAL.Timezone.localTimezone) return time.toString();
  return time.convertToZone(ICAL.Timezone.utcTimezone).toString();
}

/** The starts of one component by its own rule, dates and exceptions. */
function starts(component, start) {
  const repeats = component.hasProperty("rrule") || component.hasProperty("rdate");
  if (component.hasProperty("recurrence-id") || !repeats) return [instant(start)];
  const end = start.clone();
  end.year += YEARS;
  const expansion = new ICAL.RecurExpansion({ component, dtstart: start });
  const found = [];
  for (let next = expansion.next(); next && found.length < MOST; next = expansion.next()) {
    const at = next.start ?? next; // a date of RDATE may be a period
    if (at.compare(end) >= 0) break;
    found.push(instant(at));
  }
  return found;
}

/** What `tell` returns, or null where the component's values do not allow it. */
function told(tell) {
  try {
    return tell();
  } catch {
    return null;
  }
}

/** What one component says. */
function describe(component) {
  const value = (name) => component.getFirstPropertyValue(name);
  return {
    component: component.name.toUpperCase(),
    uid: String(value("uid")),
    recurrence: told(() => (value("recurrence-id") ? instant(value("recurrence-id")) : null)),
    starts: told(() => (value("dtstart") ? starts(component, value("dtstart")) : [])),
  };
}

/** What one text says, or why it cannot be read. */
function read(text) {
  try {
    const parsed = ICAL.parse(text);
    const calendars = typeof parsed[0] === "string" ? [parsed] : parsed;
    const components = calendars.flatMap((jcal) => new ICAL.Component(jcal).getAllSubcomponents());
    return { entries: components.filter((each) => KINDS.includes(each.name)).map(describe) };
  } catch (error) {
    return { error: String(error.message ?? error) };
  }
}

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)) + "\n");
