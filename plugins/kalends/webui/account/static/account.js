// Makes the account page faster to use; everything works without scripts too.

const status = document.getElementById("status");

function announce(text) {
  status.textContent = "";
  // Screen readers would announce the same text only once.
  requestAnimationFrame(() => { status.textContent = text; });
}

async function copy(text) {
  // Browsers have a clipboard API for https and localhost only.
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
      announce(`${button.dataset.label} copied`);
    } catch {
      words.data = "Select it by hand";
    }
    button.focus();
    setTimeout(() => { words.data = "Copy"; button.classList.remove("done"); }, 2000);
  });
}

// The guide for this device is open.
const agent = navigator.userAgent;
const device = /iPhone|iPad/.test(agent) ? "iphone"
  : /Android/.test(agent) ? "davx5"
  : /Macintosh/.test(agent) ? "mac"
  : "";
const guide = device && document.getElementById(`with-${device}`);
if (guide) guide.open = true;

const form = document.querySelector("form.import");
const input = form.querySelector("input[type=file]");
const target = form.querySelector("select");
const drop = form.querySelector(".drop");
const going = form.querySelector(".going");
const phase = form.querySelector(".phase");
const progress = form.querySelector("progress");
const results = document.querySelector(".results");
const largest = Number(form.dataset.largest);
// Files that are still to be sent, each with the collection that was chosen when it was added.
const waiting = [];
let activity = "";

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
  // The server answers with a page; the part of it with the result is shown here.
  const page = new DOMParser().parseFromString(text, "text/html");
  const result = page.getElementById("result");
  if (!result) return failed(name, "The server gave an unexpected answer. Try again.");
  result.removeAttribute("id");
  show(document.importNode(result, true));
}

function showPhase(text) {
  activity = text;
  phase.textContent = waiting.length ? `${text} Then ${waiting.length} more.` : text;
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
      showPhase(`Reading ${file.name} …`);
    });
    request.addEventListener("load", () => { answered(file.name, request.responseText); done(); });
    request.addEventListener("error", () => {
      failed(file.name, "The connection broke. Try again: importing a file twice does no harm.");
      done();
    });
    progress.value = 0;
    showPhase(`Sending ${file.name} …`);
    request.send(body);
  });
}

function enqueue(files) {
  for (const file of files) waiting.push({ file, into: target.value });
  if (going.hidden) return drain();
  showPhase(activity);
  if (files.length) announce(`Waiting: ${files.map((file) => file.name).join(", ")}`);
}

async function drain() {
  going.hidden = false;
  while (waiting.length) {
    const { file, into } = waiting.shift();
    if (file.size > largest) failed(file.name, `The file is larger than ${form.dataset.words}.`);
    else await send(file, into);
  }
  going.hidden = true;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  enqueue([...input.files]);
  input.value = "";  // at once, so that files that are chosen meanwhile come next
});

// The whole form accepts files. A file dropped elsewhere would replace the page in the browser.
const isFile = (event) => form.contains(event.target) && event.dataTransfer.types.includes("Files");

window.addEventListener("dragover", (event) => {
  event.preventDefault();
  event.dataTransfer.dropEffect = isFile(event) ? "copy" : "none";
  drop.classList.toggle("over", isFile(event));
});
window.addEventListener("dragleave", (event) => {
  if (!form.contains(event.relatedTarget)) drop.classList.remove("over");
});
window.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!isFile(event)) return;
  const files = [];
  for (const item of event.dataTransfer.items) {
    const file = item.getAsFile();
    if (item.webkitGetAsEntry()?.isDirectory) {
      failed(file.name, "This is a folder. Drop the files in it instead.");
    } else if (file) files.push(file);
  }
  enqueue(files);
});
