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
const drop = form.querySelector(".drop");
const going = form.querySelector(".going");
const phase = form.querySelector(".phase");
const progress = form.querySelector("progress");
const results = document.querySelector(".results");
const largest = Number(form.dataset.largest);

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

function send(file) {
  return new Promise((done) => {
    const body = new FormData(form);
    body.delete("file");
    body.append("file", file);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress.value = event.loaded / event.total;
    });
    request.upload.addEventListener("load", () => {
      progress.removeAttribute("value");
      phase.textContent = `Reading ${file.name} …`;
    });
    request.addEventListener("load", () => { answered(file.name, request.responseText); done(); });
    request.addEventListener("error", () => {
      failed(file.name, "The connection broke. What was taken already is no harm: try again.");
      done();
    });
    progress.value = 0;
    phase.textContent = `Sending ${file.name} …`;
    request.send(body);
  });
}

async function bring(files) {
  if (!going.hidden || !files.length) return;
  going.hidden = false;
  form.setAttribute("aria-busy", "true");
  for (const file of files) {
    if (file.size > largest) failed(file.name, `This is larger than ${form.dataset.words}.`);
    else await send(file);
  }
  form.removeAttribute("aria-busy");
  going.hidden = true;
  input.value = "";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  bring([...input.files]);
});

// A file that misses the field would open in the place of the page.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}
drop.addEventListener("dragover", (event) => {
  drop.classList.add("over");
  event.dataTransfer.dropEffect = "copy";
});
drop.addEventListener("dragleave", (event) => {
  if (!drop.contains(event.relatedTarget)) drop.classList.remove("over");
});
drop.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  bring([...event.dataTransfer.files]);
});
