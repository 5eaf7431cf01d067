// node graphile.mjs URL MODE EXPECTED [FILE]: a graphile-worker, tuned for throughput (mode batch: local queue and
// batched completion, as its own performance page does) or for latency (mode direct: as it comes).
import { Logger, run } from "graphile-worker";

import { makeStamps, stopOnSignal } from "./stamps.mjs";

const [url, mode, expected, file] = process.argv.slice(2);
const stamps = makeStamps(Number(expected), file);
const batch = {
  localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};
const runner = await run({
  preset: {
    worker: {
      connectionString: url,
      concurrentJobs: 24,
      maxPoolSize: 26,
      ...(mode === "batch" ? batch : {}),
    },
  },
  logger: new Logger(() => () => {}),
  noHandleSignals: true,
  parsedCronItems: [],
  taskList: { stamp: (payload) => stamps.stamp(payload) },
});
stopOnSignal(async () => {
  await runner.stop();
  stamps.write();
});
console.log("ready");
