#include "jobs/documents/store.hpp"

#include <algorithm>

namespace asio = boost::asio;

namespace jobs::documents {

namespace {

std::string bytea(const Content& content) {
    return "\\x" + content.sha256;
}

std::optional<std::string> null_if_empty(std::string text) {
    if (text.empty()) return {};
    return text;
}

}  // namespace

const db::Statement find_document_sql{"find_document", R"sql(
    select d.id, $4::text is null or d.model is not distinct from $4::text, f.path is not null
    from documents.documents d
    left join documents.files f on f.path = $1::text and f.document_id = d.id
    where d.sha256 = $2::bytea and d.format = $3::text
)sql"};

asio::awaitable<std::optional<KnownDocument>> find_document(
    db::Session& session, std::string path, Content content, std::string model
) {
    const db::Rows rows = co_await session.execute(
        find_document_sql, path, bytea(content), name_of(content.format), null_if_empty(std::move(model))
    );
    if (rows.empty()) co_return std::nullopt;
    const db::Row row = rows.front();
    co_return KnownDocument{
        .id = row.get<DocumentId>(0), .has_embeddings = row.get<bool>(1), .is_of_path = row.get<bool>(2)
    };
}

const db::Statement add_document_sql{"add_document", R"sql(
    insert into documents.documents as d (sha256, format, bytes, chunks, model)
    values ($1::bytea, $2::text, $3::bigint, $4::integer, $5::text)
    on conflict (sha256, format) do update
    set model = excluded.model, chunks = excluded.chunks, stored_at = now()
    where excluded.model is not null and d.model is distinct from excluded.model
    returning d.id
)sql"};

const db::Statement delete_chunks_sql{"delete_chunks", "delete from documents.chunks where document_id = $1::bigint"};

asio::awaitable<std::optional<DocumentId>> add_document(db::Session& session, NewDocument document) {
    const db::Rows rows = co_await session.execute(
        add_document_sql,
        bytea(document.content),
        name_of(document.content.format),
        document.bytes,
        std::int32_t{document.chunks},
        null_if_empty(std::move(document.model))
    );
    if (rows.empty()) co_return std::nullopt;
    const auto id = rows.front().get<DocumentId>(0);
    co_await session.execute(delete_chunks_sql, id);
    co_return id;
}

const db::Statement add_chunks_sql{"add_chunks", R"sql(
    insert into documents.chunks (document_id, number, text, embedding)
    select $1::bigint, $2::integer + chunk.place::integer - 1, chunk.text, chunk.embedding::real[]
    from unnest($3::text[], $4::text[]) with ordinality chunk (text, embedding, place)
)sql"};

asio::awaitable<void> add_chunks(
    db::Session& session,
    DocumentId document,
    int first,
    std::span<const std::string> texts,
    std::span<const std::string> embeddings
) {
    co_await session.execute(add_chunks_sql, document, std::int32_t{first}, texts, embeddings);
}

// Whoever needs more than one document locks them in this order, so that two who need the same do not block each other.
const db::Statement lock_documents_sql{"lock_documents", R"sql(
    select id, sha256 = $2::bytea and format = $3::text
    from documents.documents
    where id = any ($1::bigint[]) or (sha256 = $2::bytea and format = $3::text)
    order by id
    for update
)sql"};

// Sees what those have done whose locks the statement before waited for.
const db::Statement delete_orphans_sql{"delete_orphans", R"sql(
    delete from documents.documents d
    where d.id = any ($1::bigint[]) and not exists (select from documents.files f where f.document_id = d.id)
)sql"};

const db::Statement lock_file_sql{"lock_file", R"sql(
    select document_id from documents.files where path = $1::text for update
)sql"};

const db::Statement change_file_sql{"change_file", R"sql(
    update documents.files set document_id = $2::bigint, ingested_at = now() where path = $1::text
)sql"};

const db::Statement add_file_sql{"add_file", R"sql(
    insert into documents.files (path, document_id) values ($1::text, $2::bigint)
    on conflict (path) do nothing
    returning path
)sql"};

asio::awaitable<bool> link_file(db::Session& session, std::string path, Content content) {
    while (true) {
        const db::Rows file = co_await session.execute(lock_file_sql, path);
        const auto before = db::map_rows(file, [](const db::Row& row) { return row.get<DocumentId>(0); });
        const db::Rows locked =
            co_await session.execute(lock_documents_sql, before, bytea(content), name_of(content.format));
        const auto found = std::ranges::find_if(locked, [](const db::Row& row) { return row.get<bool>(1); });
        if (found == locked.end()) co_return false;
        const auto document = (*found).get<DocumentId>(0);
        if (!file.empty()) {
            co_await session.execute(change_file_sql, path, document);
            if (before.front() != document) co_await session.execute(delete_orphans_sql, before);
            co_return true;
        }
        const db::Rows added = co_await session.execute(add_file_sql, path, document);
        if (!added.empty()) co_return true;  // else another job has entered the path meanwhile
    }
}

const db::Statement list_files_sql{"list_files", R"sql(
    select path from documents.files
    where path > greatest($1::text, $2::text) and path < left($1::text, -1) || '0'  -- which follows / in ASCII
    order by path
    limit $3::integer
)sql"};

asio::awaitable<std::vector<std::string>> list_files(
    db::Session& session, std::string folder, std::string after, int limit
) {
    const db::Rows rows = co_await session.execute(list_files_sql, folder, after, std::int32_t{limit});
    co_return db::map_rows(rows, [](const db::Row& row) { return row.get<std::string>(0); });
}

const db::Statement forget_files_sql{"forget_files", R"sql(
    delete from documents.files where path = any ($1::text[]) returning document_id
)sql"};

asio::awaitable<void> forget_files(db::Session& session, std::span<const std::string> paths) {
    const db::Rows rows = co_await session.execute(forget_files_sql, paths);
    const auto ids = db::map_rows(rows, [](const db::Row& row) { return row.get<DocumentId>(0); });
    co_await session.execute(lock_documents_sql, ids, std::nullopt, std::nullopt);
    co_await session.execute(delete_orphans_sql, ids);
}

const db::Statement keep_dimensions_sql{"keep_dimensions", R"sql(
    insert into documents.models (name, dimensions) values ($1::text, $2::integer) on conflict (name) do nothing
)sql"};

const db::Statement read_dimensions_sql{"read_dimensions", R"sql(
    select dimensions from documents.models where name = $1::text
)sql"};

asio::awaitable<int> keep_dimensions(db::Session& session, std::string model, int dimensions) {
    db::Rows rows = co_await session.execute(read_dimensions_sql, model);
    if (rows.empty()) {
        co_await session.execute(keep_dimensions_sql, model, std::int32_t{dimensions});
        rows = co_await session.execute(read_dimensions_sql, model);
    }
    co_return rows.front().get<int>(0);
}

}  // namespace jobs::documents
