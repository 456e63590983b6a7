// Reads iCalendar text on standard input and prints, as JSON, one object for each VEVENT, VTODO and
// VJOURNAL: its uid, component, recurrence-id, and the instants at which it starts within so many
// years (first argument) of its own first start, as ical.js sees them.
import ICAL from "ical.js";
import { readFileSync } from "node:fs";

const YEARS = Number(process.argv[2] ?? "2");
const MOST = 20000;

/** One instant: a date, a floating time, or UTC with a Z at its end. */
function instant(time) {
  if (time.isDate) return time.toString();
  if (time.zone === ICAL.Timezone.localTimezone) return time.toString();
  return time.convertToZone(ICAL.Timezone.utcTimezone).toString();
}

/** The starts of one component by its own rule, dates and exceptions. */
function starts(component, start) {
  const end = start.clone();
  end.year += YEARS;
  if (component.hasProperty("recurrence-id")) return [instant(start)];
  if (!component.hasProperty("rrule") && !component.hasProperty("rdate")) return [instant(start)];
  const expansion = new ICAL.RecurExpansion({ component, dtstart: start });
  const found = [];
  for (let next = expansion.next(); next && found.length < MOST; next = expansion.next()) {
    if (next.compare(end) > 0) break;
    found.push(instant(next));
  }
  return found;
}

/** What one component says, or the error that reading it gave. */
function describe(component) {
  const entry = { component: component.name.toUpperCase() };
  try {
    const uid = component.getFirstPropertyValue("uid");
    const recurrence = component.getFirstPropertyValue("recurrence-id");
    const start =
      component.getFirstPropertyValue("dtstart") ?? component.getFirstPropertyValue("due");
    entry.uid = uid === null ? null : String(uid);
    entry.recurrenceId = recurrence ? instant(recurrence) : null;
    entry.starts = start ? starts(component, start) : [];
  } catch (error) {
    entry.error = String(error.message ?? error);
  }
  return entry;
}

const parsed = ICAL.parse(readFileSync(0, "utf8").replace(/^\uFEFF/, ""));
const calendars = typeof parsed[0] === "string" ? [parsed] : parsed;
const entries = [];
for (const jcal of calendars) {
  const calendar = new ICAL.Component(jcal);
  for (const component of calendar.getAllSubcomponents()) {
    if (["vevent", "vtodo", "vjournal"].includes(component.name)) entries.push(describe(component));
  }
}
process.stdout.write(JSON.stringify(entries) + "\n");
