#include "jobs/documents/schema.hpp"

#include <chrono>

namespace asio = boost::asio;

namespace jobs::documents {

namespace {

// A document is its content: files that are alike share one. The order of locks: a file, then documents by id.
constexpr std::string_view script = R"sql(
    begin;
    set local client_min_messages = warning;  -- what is there already is no news
    set local lock_timeout = '2s';            -- behind a long search or a dump: else all who come later would wait, too
    select pg_advisory_xact_lock(hashtext('task_worker documents setup'));
    do $$
    begin
        if exists (select from pg_available_extensions where name = 'vector' and installed_version is null) then
            create extension vector;
        end if;
    exception when insufficient_privilege then
        null;
    end
    $$;

    -- As for the migrations: what a member of the owner's role creates is the owner's.
    select set_config('role', rolname, true)
    from pg_roles r
    where rolname = 'task_worker_owner'
        and pg_has_role(r.oid, 'member')
        and has_database_privilege(r.oid, current_database(), 'create')
        and not exists (select from pg_namespace where nspname = 'documents' and nspowner <> r.oid);
    create schema if not exists documents;

    create table if not exists documents.documents (
        id bigint generated always as identity,
        sha256 bytea not null,      -- of the content, unpacked
        format text not null,
        bytes bigint not null,      -- unpacked
        chunks integer not null,
        model text,                 -- whose embeddings its chunks have; null: none
        stored_at timestamptz not null default now(),
        constraint pk_documents primary key (id),
        constraint uq_documents_sha256 unique (sha256, format),
        constraint ck_documents_format check (format in ('text', 'markdown', 'html'))
    );
    create table if not exists documents.files (
        path text collate "C" not null,
        document_id bigint not null,
        ingested_at timestamptz not null default now(),
        constraint pk_files primary key (path),
        constraint fk_files_document foreign key (document_id) references documents.documents (id)
    );
    create index if not exists ix_files_document on documents.files (document_id, path);
    create table if not exists documents.chunks (
        document_id bigint not null,
        number integer not null,    -- from 1
        text text not null,
        words tsvector not null generated always as (to_tsvector('english', text)) stored,
        constraint pk_chunks primary key (document_id, number),
        constraint fk_chunks_document
            foreign key (document_id) references documents.documents (id) on delete cascade
    );
    create index if not exists ix_chunks_words on documents.chunks using gin (words);
    create table if not exists documents.models (
        name text not null,
        dimensions integer not null,
        constraint pk_models primary key (name)
    );

    do $$
    declare
        kind text;
    begin
        select coalesce(min(format('%I.vector', n.nspname)), 'real[]') into kind
        from pg_extension e
        join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'vector';
        execute format('alter table documents.chunks add column if not exists embedding %s', kind);
        if (select atttypid from pg_attribute
            where attrelid = 'documents.chunks'::regclass and attname = 'embedding') <> to_regtype(kind) then
            execute format(
                'alter table documents.chunks alter column embedding type %s using embedding::%s', kind, kind);
        end if;
    end
    $$;

    -- The best chunk of each document. For websites: the words that were asked for stand between stars; what is
    -- around them is the document's, not HTML.
    create or replace function documents.search(query text, "limit" integer default 10)
    returns table (rank real, headline text, path text)
    language sql stable parallel safe
    as $$
        select best.rank,
            ts_headline('english', c.text, best.asked,
                'StartSel=**, StopSel=**, MaxFragments=2, MinWords=5, MaxWords=20, FragmentDelimiter=" ... "'),
            (select min(f.path) from documents.files f where f.document_id = best.document_id)
        from (
            select found.*
            from (
                select distinct on (c.document_id) c.document_id, c.number, asked, ts_rank_cd(c.words, asked) as rank
                from websearch_to_tsquery('english', query) asked
                join documents.chunks c on c.words @@ asked
                order by c.document_id, ts_rank_cd(c.words, asked) desc, c.number
            ) found
            order by found.rank desc, found.document_id
            limit greatest("limit", 0)
        ) best
        join documents.chunks c on c.document_id = best.document_id and c.number = best.number
        order by best.rank desc, best.document_id
    $$;

    do $$
    begin
        if exists (select from pg_roles where rolname = 'task_worker_app') then
            grant usage on schema documents to task_worker_app;
            grant select, insert, update, delete on all tables in schema documents to task_worker_app;
        end if;
        if exists (select from pg_roles where rolname = 'task_worker_read') then
            grant usage on schema documents to task_worker_read;
            grant select on all tables in schema documents to task_worker_read;
        end if;
    end
    $$;
    commit;
)sql";

}  // namespace

const db::Statement read_embedding_column_sql{"read_embedding_column", R"sql(
    select (select atttypid <> 'real[]'::regtype from pg_attribute
            where attrelid = 'documents.chunks'::regclass and attname = 'embedding'),
        exists (select from pg_available_extensions where name = 'vector')
)sql"};

asio::awaitable<EmbeddingColumn> set_up(db::Session& session) {
    co_await session.run_script(script, std::chrono::minutes(60));
    const db::Rows rows = co_await session.execute(read_embedding_column_sql);
    if (rows.front().get<bool>(0)) co_return EmbeddingColumn::vector;
    co_return rows.front().get<bool>(1) ? EmbeddingColumn::forbidden : EmbeddingColumn::missing;
}

const db::Statement is_set_up_sql{"documents_is_set_up", "select to_regclass('documents.chunks') is not null"};

asio::awaitable<bool> is_set_up(db::Session& session) {
    const db::Rows rows = co_await session.execute(is_set_up_sql);
    co_return rows.front().get<bool>(0);
}

}  // namespace jobs::documents
