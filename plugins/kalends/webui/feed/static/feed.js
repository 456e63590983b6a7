// Improvements for browsers with scripts; the page works without them.
"use strict";

// Times in the reader's own zone: at once if the feed has none, else on request.
const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
const { zone, own } = document.body.dataset;
if (zone && mine && mine !== "Etc/Unknown" && mine !== zone) {
  const address = new URL(location.href);
  if (!address.searchParams.has("tz")) {
    address.searchParams.set("tz", mine);
    if (!own) {
      location.replace(address);
    }
    const other = document.querySelector(".zone-other");
    if (other) {
      other.href = address;
      other.textContent = `Show in ${mine.replaceAll("_", " ")}`;
      other.hidden = false;
    }
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  field.addEventListener("focus", () => field.select());
  if (!navigator.clipboard) {
    continue;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// The panel closes with Escape, or with a click outside of it.
const panel = document.querySelector("details.subscribe");
if (panel) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel.open) {
      panel.open = false;
      panel.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!panel.contains(event.target)) {
      panel.open = false;
    }
  });
}

// A line at the current time, in the hours of today.
const today = document.querySelector("[data-today]");
if (today) {
  const line = document.createElement("li");
  line.className = "now";
  line.setAttribute("aria-hidden", "true");
  const move = () => {
    const form = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    });
    const [hours, minutes] = form.format(new Date()).split(":").map(Number);
    line.style.setProperty("--t", hours * 60 + minutes);
  };
  try {
    move();
    today.append(line);
    setInterval(move, 30000);
  } catch {
    // The browser does not know the zone: there is no line.
  }
}
