// Reads iCalendar texts, each as a JSON string in one line, and answers each with one line: a JSON
// array of [start, end, summary] of all that ical.js sees to happen from the first to the second
// argument (dates), overrides of a series included; or {"error": "..."}.
import ICAL from "ical.js";
import { createInterface } from "node:readline";

const [from, until] = process.argv.slice(2).map((day) => ICAL.Time.fromDateString(day));
const MOST = 20000;

/** One instant: a date, a floating time, or UTC with a Z at its end. */
function instant(time) {
  if (time.isDate || time.zone === ICAL.Timezone.localTimezone) return time.toString();
  return time.convertToZone(ICAL.Timezone.utcTimezone).toString();
}

/** All of one UID: its series with what is moved of it, or occurrences of a series elsewhere. */
function* happens(components) {
  const own = components.filter((each) => !each.hasProperty("recurrence-id"));
  const moved = components.filter((each) => each.hasProperty("recurrence-id"));
  const shown = new Set();
  for (const component of own) {
    const event = new ICAL.Event(component, { exceptions: moved, strictExceptions: true });
    if (!event.isRecurring()) yield [event.startDate, event.endDate, event.summary];
    const iterator = event.isRecurring() ? event.iterator() : { next: () => null };
    let count = 0;
    for (let next = iterator.next(); next && count < MOST; next = iterator.next(), count += 1) {
      if (next.compare(until) > 0 && next.year > until.year) break;
      const found = event.getOccurrenceDetails(next);
      if (found.item.isRecurrenceException()) shown.add(found.item.component);
      yield [found.startDate, found.endDate, found.item.summary];
    }
  }
  for (const component of moved.filter((each) => !shown.has(each))) {
    const event = new ICAL.Event(component);
    yield [event.startDate, event.endDate, event.summary];
  }
}

/** What happens in a text, in order. */
function read(text) {
  const calendar = new ICAL.Component(ICAL.parse(text));
  const byUid = new Map();
  for (const component of calendar.getAllSubcomponents("vevent")) {
    const uid = component.getFirstPropertyValue("uid");
    byUid.set(uid, [...(byUid.get(uid) ?? []), component]);
  }
  return [...byUid.values()]
    .flatMap((components) => [...happens(components)])
    .map(([start, end, summary]) => [instant(start), instant(end), summary])
    .filter(([start]) => start >= from.toString() && start < until.toString())
    .sort();
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = read(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
