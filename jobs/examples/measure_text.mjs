#!/usr/bin/env node
// Measures text files: an example of a handler in JavaScript, for `mode: stream` and, unchanged, for plain exec.
//
//   args    {"path": "/folder/file.txt"}
//   result  {"lines": 2, "words": 9, "characters": 48}
//
// Each line of stdin is a job; each job is answered with one line, before the next one is read.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

const reportEvery = 10_000; // lines

function say(job, message) {
  // The id is not needed; with it no answer can ever be taken for that to another job.
  process.stdout.write(JSON.stringify({ id: job.id, ...message }) + "\n");
}

async function measure(job) {
  let lines = 0;
  let words = 0;
  let characters = 0;
  let open = ""; // a line whose end has not come yet
  const count = (line, end) => {
    lines += 1;
    words += line.split(/\s+/u).filter(Boolean).length;
    characters += [...line].length + end;
    if (lines % reportEvery === 0) say(job, { progress: { done: lines, total: 0, message: "lines" } });
  };
  const decoder = new TextDecoder("utf-8", { fatal: true });
  for await (const piece of createReadStream(job.args.path)) {
    const pieces = (open + decoder.decode(piece, { stream: true })).split("\n");
    open = pieces.pop();
    for (const line of pieces) count(line, 1);
  }
  open += decoder.decode();
  if (open !== "") count(open, 0);
  return { lines, words, characters };
}

// What comes of a job: an exception that is caught nowhere ends the program, and the job is retried.
async function answer(job) {
  if (typeof job.args?.path !== "string") return { discard: 'args need a "path"' };
  try {
    return { result: await measure(job) };
  } catch (error) {
    if (error.code === "ENOENT") return { discard: `no such file: ${error.path}` }; // nor would another attempt find it
    if (error instanceof TypeError) return { discard: `not UTF-8: ${error.message}` };
    return { retry: { after: 60, error: error.message } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  console.error(`measuring for attempt ${job.attempt}`); // the job's log
  say(job, await answer(job));
}
