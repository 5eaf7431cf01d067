// What both peers need: counting the jobs handled, writing down when each started, stopping on SIGTERM.
import { writeFileSync } from "node:fs";

// `expected`: says "handled" on standard output once so many jobs were. `file`: gets a line a job, its n and the
// monotonic clock in nanoseconds, at the end; without a file nothing is kept.
export function makeStamps(expected, file) {
  let handled = 0;
  const lines = [];
  return {
    stamp(payload) {
      if (file) lines.push(`${payload.n} ${process.hrtime.bigint()}\n`);
      if (++handled === expected) console.log("handled");
    },
    write() {
      if (file) writeFileSync(file, lines.join(""));
    },
  };
}

export function stopOnSignal(stop) {
  process.once("SIGTERM", async () => {
    await stop();
    process.exit(0);
  });
}
