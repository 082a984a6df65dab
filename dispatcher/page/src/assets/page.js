// Renews <main> by what the server rendered anew. What the reader has done stays: the
// place, the focus, what is open and what is being typed.
"use strict";

const link = document.getElementById("link");
const quietAfterMs = 12000;
let stream = null;
let last = Date.now();

function show(state, text) {
  link.hidden = false;
  link.className = "chip " + state;
  if (link.textContent !== text) link.textContent = text;
}

// Makes `old` equal to `fresh`, and touches only what differs.
function renew(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh.cloneNode(true));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  // A reader may be at work in a form.
  if (old.nodeName === "FORM" && old.contains(document.activeElement)) return;
  renewChildren(old, fresh);
}

function renewChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map(keyOf));
  const kept = new Map();
  for (const child of old.children) {
    const key = keyOf(child);
    if (key && wanted.has(key) && !kept.has(key)) kept.set(key, child);
  }
  const reserved = new Set(kept.values());
  let at = old.firstChild;
  for (const child of fresh.childNodes) {
    const key = child.nodeType === Node.ELEMENT_NODE && keyOf(child);
    const known = kept.get(key);
    kept.delete(key);
    // What is known by its key is left for the child with that key.
    const target = known || (reserved.has(at) ? null : at);
    if (!target) {
      old.insertBefore(child.cloneNode(true), at);
      continue;
    }
    reserved.delete(target);
    if (target === at) at = target.nextSibling;
    else old.insertBefore(target, at);
    renew(target, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// A row of a table, and an entry of a list, are known by their first link.
function keyOf(element) {
  if (element.id) return element.id;
  if (element.nodeName !== "TR" && element.nodeName !== "LI") return "";
  const named = element.querySelector("details[id]");
  if (named) return named.id;
  const first = element.querySelector("a[href]");
  return first ? element.nodeName + first.getAttribute("href") : "";
}

function onPage(event) {
  last = Date.now();
  const fresh = new DOMParser().parseFromString(event.data, "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (fresh && main) renew(main, fresh);
  show("live", "live");
}

function open() {
  if (stream || document.hidden) return;
  const here = location.pathname + location.search;
  stream = new EventSource("/live?of=" + encodeURIComponent(here));
  stream.onmessage = onPage;
  stream.onerror = () => {
    show("lost", "connection lost; trying again");
    // The browser gives up for good after some errors; this does not.
    if (stream && stream.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(open, 3000);
    }
  };
}

function close() {
  if (stream) stream.close();
  stream = null;
  show("", "paused");
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
setInterval(() => {
  const age = Date.now() - last;
  if (stream && age > quietAfterMs) show("lost", "no update for " + Math.round(age / 1000) + " s");
}, 1000);
open();
