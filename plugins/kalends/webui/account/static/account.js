// Makes the account page quicker to use; everything works without it too.

const told = document.getElementById("told");

function tell(text) {
  told.textContent = "";
  // A status that is set twice to the same words would be read out once.
  requestAnimationFrame(() => { told.textContent = text; });
}

async function copy(text) {
  // Browsers have a clipboard for https and this machine alone.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}

for (const button of document.querySelectorAll("button.copy")) {
  const words = button.firstChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await copy(button.dataset.copy);
      words.data = "Copied";
      button.classList.add("done");
      tell(`${button.dataset.label} copied`);
    } catch {
      words.data = "Select it by hand";
    }
    button.focus();
    setTimeout(() => { words.data = "Copy"; button.classList.remove("done"); }, 2000);
  });
}

// The guide for this device stands open.
const agent = navigator.userAgent;
const device = /iPhone|iPad/.test(agent) ? "iphone"
  : /Android/.test(agent) ? "davx5"
  : /Macintosh/.test(agent) ? "mac"
  : "";
const fitting = device && document.getElementById(`with-${device}`);
if (fitting) fitting.open = true;

const form = document.querySelector("form.import");
const input = form.querySelector("input[type=file]");
const target = form.querySelector("select");
const drop = form.querySelector(".drop");
const going = form.querySelector(".going");
const phase = form.querySelector(".phase");
const progress = form.querySelector("progress");
const results = document.querySelector(".results");
const largest = Number(form.dataset.largest);
// What is still to be sent, each with the place that was chosen when it came.
const waiting = [];
let doing = "";

form.querySelector(".drops").hidden = false;
input.multiple = true;

function show(node) {
  results.prepend(node);
  node.focus();
}

function failed(name, why) {
  const section = document.createElement("section");
  section.className = "card result";
  section.tabIndex = -1;
  const heading = document.createElement("h3");
  heading.textContent = name;
  const note = document.createElement("p");
  note.className = "note bad";
  note.textContent = why;
  section.append(heading, note);
  show(section);
}

function answered(name, text) {
  // The server's own page tells what became of it; its part about that is shown here.
  const page = new DOMParser().parseFromString(text, "text/html");
  const result = page.getElementById("result");
  if (!result) return failed(name, "The server answered something else than expected. Try again.");
  result.removeAttribute("id");
  show(document.importNode(result, true));
}

function say(what) {
  doing = what;
  phase.textContent = waiting.length ? `${what} Then ${waiting.length} more.` : what;
}

function send(file, into) {
  return new Promise((done) => {
    const body = new FormData(form);
    body.set("into", into);
    body.set("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress.value = event.loaded / event.total;
    });
    request.upload.addEventListener("load", () => {
      progress.removeAttribute("value");
      say(`Reading ${file.name} …`);
    });
    request.addEventListener("load", () => { answered(file.name, request.responseText); done(); });
    request.addEventListener("error", () => {
      failed(file.name, "The connection broke. What was taken already is no harm: try again.");
      done();
    });
    progress.value = 0;
    say(`Sending ${file.name} …`);
    request.send(body);
  });
}

function bring(files) {
  for (const file of files) waiting.push({ file, into: target.value });
  if (going.hidden) return drain();
  say(doing);
  if (files.length) tell(`Waiting: ${files.map((file) => file.name).join(", ")}`);
}

async function drain() {
  going.hidden = false;
  while (waiting.length) {
    const { file, into } = waiting.shift();
    if (file.size > largest) failed(file.name, `This is larger than ${form.dataset.words}.`);
    else await send(file, into);
  }
  going.hidden = true;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  bring([...input.files]);
  input.value = "";  // now: what is chosen while these are sent is the next
});

// Anywhere in the form will do. A file that misses it would open in the place of the page.
const takes = (event) => form.contains(event.target) && event.dataTransfer.types.includes("Files");

window.addEventListener("dragover", (event) => {
  event.preventDefault();
  event.dataTransfer.dropEffect = takes(event) ? "copy" : "none";
  drop.classList.toggle("over", takes(event));
});
window.addEventListener("dragleave", (event) => {
  if (!form.contains(event.relatedTarget)) drop.classList.remove("over");
});
window.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!takes(event)) return;
  const files = [];
  for (const item of event.dataTransfer.items) {
    const file = item.getAsFile();
    if (item.webkitGetAsEntry()?.isDirectory) {
      failed(file.name, "This is a folder. Drop the files that are in it.");
    } else if (file) files.push(file);
  }
  bring(files);
});
