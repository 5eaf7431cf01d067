// node pgboss.mjs URL MODE EXPECTED [FILE]: a pg-boss that is woken by notifications and fetches 2,000 jobs at a time
// for as long as there are so many. MODE sql: makes its tables and prints the statement by which it inserts jobs.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import { PgBoss } from "pg-boss";

import { makeStamps, stopOnSignal } from "./stamps.mjs";

const [url, mode, expected, file] = process.argv.slice(2);
const boss = new PgBoss({ connectionString: url, useListenNotify: true });
boss.on("error", console.error);
await boss.start();
if (mode === "sql") {
  await boss.createQueue("stamp", { notify: true });
  const { table } = await boss.getQueue("stamp");
  const library = dirname(createRequire(import.meta.url).resolve("pg-boss"));
  const { insertJobs } = await import(join(library, "plans.js"));
  console.log(insertJobs("pgboss", { table, name: "stamp", returnId: true, notify: true }));
  await boss.stop();
  process.exit(0);
}
const stamps = makeStamps(Number(expected), file);
await boss.work(
  "stamp",
  { batchSize: 2000, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
  async (jobs) => {
    for (const job of jobs) stamps.stamp(job.data);
  },
);
stopOnSignal(async () => {
  await boss.stop({ graceful: true });
  stamps.write();
});
console.log("ready");
