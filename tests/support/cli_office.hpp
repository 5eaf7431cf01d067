#pragma once

// A database in which every command of the command line finds something, and a shell on it.

#include "tests/support/database.hpp"
#include "tests/support/shell.hpp"

#include <string>

namespace tests {

struct CliOffice {
    TestDatabase database;
    Shell shell;

    // 128 waits in the queue mail, which is paused; 256 and 384 are dead letters of the batch photos, in which 512
    // waits; the batch ended has finished, one of its two jobs discarded; a batch, a kind and a worker have long names.
    // 1234567808 has completed, 850 ms after it was made.
    CliOffice() : shell(database.url()) {
        database.psql(R"sql(
            insert into task_queue.queues (name, paused) values ('mail', true);
            select task_queue.enqueue('echo', '{}', queue => 'mail');
            select task_queue.create_batch('00000000-0000-0000-0000-000000000001', name => 'photos');
            select task_queue.enqueue('echo', '{}', batch_id => '00000000-0000-0000-0000-000000000001')
            from generate_series(1, 3);
            insert into task_queue.dead_jobs (
                id, kind_id, queue_id, priority, attempt, max_attempts, batch_id, created_at, error, args
            )
            select b.id, b.kind_id, b.queue_id, b.priority, 1, 1, b.batch_id, now(), repeat('no such photo ', 9), '{}'
            from task_queue.bundles b
            where b.id in (256, 384);
            delete from task_queue.bundles where id in (256, 384);
            select task_queue.create_batch('00000000-0000-0000-0000-000000000002', name => 'ended');
            insert into task_queue.batch_changes (batch_id, total, completed, discarded)
            values ('00000000-0000-0000-0000-000000000001', 0, 0, 2), ('00000000-0000-0000-0000-000000000002', 2, 1, 1);
            select task_queue.seal_batch('00000000-0000-0000-0000-000000000002');
            select task_queue.create_batch('00000000-0000-0000-0000-000000000003', name => repeat('größte ', 12));
            select task_queue.enqueue(repeat('long', 15), '{}', delay => '1 h',
                batch_id => '00000000-0000-0000-0000-000000000003');
            insert into task_queue.workers (id, connections, slots, pid, host, version, kinds, queues)
            values (7, 1, 1, 1, repeat('host.', 12), 'v', array['echo', repeat('long', 15)], '{1}');
            select task_queue.fold_batch_changes(0, 1000);
            select setval('task_queue.base_ids', 1234567808, false);
            select task_queue.cancel(task_queue.enqueue('send-receipt', '{}'));
            update task_queue.finished_bundles
            set state = 5, attempt = 1, created_at = finished_at - interval '850 ms';
            select setval('task_queue.base_ids', 640);
        )sql");
    }
};

}  // namespace tests
