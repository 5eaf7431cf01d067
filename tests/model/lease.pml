/* The lease of one row: claim, finish, release, heartbeat, death, rescue. README.md says which function each step is.

   Time does not exist here: every step may come as late as it likes, and that is what a pause is. What goes wrong is
   bounded by budgets, which a run may spend whenever it likes; nothing else can be repeated for ever. So every run
   ends, and one that ends with the job still open has lost it.

   -DBREAK_... breaks one rule of the protocol: the check must fail then. */

#ifndef CRASHES
#define CRASHES 1   /* processes killed, or signed off; another takes the place of each */
#endif
#ifndef SILENCES
#define SILENCES 1  /* live processes declared dead, or suspending themselves */
#endif
#ifndef LOSSES
#define LOSSES 1    /* connections lost with a statement under way: it committed, or may yet, or never will */
#endif
#ifndef RETRIES
#define RETRIES 1
#endif
#ifndef RETURNS
#define RETURNS 1   /* jobs handed back before they started */
#endif
#ifndef CANCELS
#define CANCELS 0
#endif
#ifndef STRIKES
#define STRIKES 1   /* 3 in the product */
#endif

#define IDS    (3 + CRASHES + SILENCES)  /* of workers: each is given once */
#define NOBODY 255
#if LOSSES == 0
#define ORPHANS 1
#else
#define ORPHANS LOSSES
#endif

/* states of the row */
#define AVAILABLE 0
#define RUNNING   1
#define SUSPECT   2
#define ENDED     3
/* of a lease in its process: nothing; its handler may run; what to write of it, once that has been tried */
#define NONE          0
#define HELD          1
#define WILL_COMPLETE 2
#define WILL_RETRY    3
#define WILL_RETURN   4
/* what else can be under way */
#define CLAIM     5
#define HAND_BACK 6  /* of claims whose answer was lost: `claim` is a mask of numbers */

typedef Row {
    byte state, owner, claim, attempt, rescues, strikes;
    bit  cancel;
    /* for the proof alone */
    byte era;      /* tells claims apart */
    byte retried;  /* retries accepted */
    byte ends      /* times that the job ended */
};
typedef Lease { byte phase, claim, era };
typedef Statement { byte kind, id, claim, era };
typedef Process {
    byte  id;         /* of the worker */
    byte  claims;     /* the last claim number */
    byte  abandoned;  /* mask: claims whose answer was lost */
    bit   stale;      /* declared dead while its handlers ran: it was paused for longer than its lease */
    bit   asks;       /* a claim of this id and number has found its worker alive, and has not locked the row yet */
    byte  asks_id, asks_claim;
    Lease lease[3]    /* that it believes in */
};

Row row;
Process at[3];
Statement orphan[ORPHANS];  /* that the server may still execute, though nobody listens */
bit dead[IDS];
#ifdef BREAK_RESCUE
bit visited[IDS];
#endif
byte given = 3;  /* ids */
byte crashes = CRASHES, silences = SILENCES, losses = LOSSES, may_retry = RETRIES, may_return = RETURNS,
    cancels = CANCELS;

hidden byte i, j, k, valid, handlers;

/* The fence. */
#if defined(BREAK_CLAIM_NUMBER)
#define ACCEPTS(by, number) (row.state == RUNNING && row.owner == (by))
#elif defined(BREAK_FENCE)
#define ACCEPTS(by, number) (row.state == RUNNING)
#else
#define ACCEPTS(by, number) (row.state == RUNNING && row.owner == (by) && row.claim == (number))
#endif

#define OPEN    (row.state != ENDED)
#define IN_LINE (row.state == AVAILABLE || row.state == SUSPECT)

/* What must hold after every step. */
inline check() {
    assert(row.ends <= 1);
    assert(row.state == ENDED || row.attempt == row.retried + (row.state == RUNNING));  /* no other attempt is spent */
    valid = 0;
    handlers = 0;
    for (i : 0 .. 2) {
        for (j : 0 .. 2) {
            if
            :: at[i].lease[j].phase != NONE && ACCEPTS(at[i].id, at[i].lease[j].claim) -> valid++
            :: else
            fi;
            if
            :: at[i].lease[j].phase == HELD && !at[i].stale -> handlers++
            :: else
            fi
        }
    }
    assert(valid <= 1);    /* no two valid leases */
    assert(handlers <= 1)  /* no two handlers at once, but in a process that slept over the end of its lease */
}

inline leave_worker(then) {
    row.state = then;
    row.owner = NOBODY;
    row.claim = 0;
    row.era = 0
}

inline drop_lease(p, s) {
    at[p].lease[s].phase = NONE;
    at[p].lease[s].claim = 0;
    at[p].lease[s].era = 0
}

inline drop_ask(p) {
    at[p].asks = 0;
    at[p].asks_id = 0;
    at[p].asks_claim = 0
}

inline lose_leases(p) {
    for (i : 0 .. 2) {
        drop_lease(p, i)
    }
    at[p].abandoned = 0
}

inline forget(z) {
    orphan[z].kind = NONE;
    orphan[z].id = 0;
    orphan[z].claim = 0;
    orphan[z].era = 0
}

/* An ended job has no row, which no write can bring back. All ends are made one state. */
inline end_job() {
    leave_worker(ENDED);
    row.attempt = 0;
    row.retried = 0;
    row.rescues = 0;
    row.strikes = 0;
    row.cancel = 0;
    row.ends++;
    for (k : 0 .. 2) {
        lose_leases(k);
        drop_ask(k);
        at[k].id = 0;
        at[k].claims = 0;
        at[k].stale = 0
    }
    for (k : 0 .. ORPHANS - 1) {
        forget(k)
    }
    for (k : 0 .. IDS - 1) {
        dead[k] = 0
    }
    given = 0;
    crashes = 0;
    silences = 0;
    losses = 0;
    may_retry = 0;
    may_return = 0;
    cancels = 0
}

/* The smallest number that nobody remembers: histories that differ in old numbers alone are one. */
inline new_era() {
    k = 1;
    for (i : 0 .. 2) {
        for (j : 0 .. 2) {
            k = k | (1 << at[i].lease[j].era)
        }
    }
    for (i : 0 .. ORPHANS - 1) {
        k = k | (1 << orphan[i].era)
    }
    row.era = 0;
    do
    :: (k >> row.era) & 1 -> row.era++
    :: else -> break
    od;
    assert(row.era < 8)
}

inline take_row(by, number) {
    new_era();
    row.strikes = (row.state == SUSPECT -> row.strikes + 1 : row.strikes);
    row.state = RUNNING;
    row.owner = by;
    row.claim = number;
    row.attempt++
}

inline back_to_line() {
    leave_worker(AVAILABLE);
    row.strikes = 0
}

inline write(what, by, number, of_era) {
    if
    :: what == HAND_BACK ->
        if
        :: row.state == RUNNING && row.owner == by && ((number >> row.claim) & 1) -> back_to_line(); row.attempt--
        :: else
        fi
    :: what != HAND_BACK && ACCEPTS(by, number) ->
        assert(of_era == row.era);  /* a late writer changes nothing */
        if
        :: what == WILL_COMPLETE || (what == WILL_RETRY && row.cancel) -> end_job()
        :: what == WILL_RETRY && !row.cancel -> back_to_line(); row.retried++
        :: what == WILL_RETURN -> back_to_line(); row.attempt--
        fi
    :: else
    fi
}

inline rescue() {
    row.attempt--;
    if
    :: row.cancel || row.strikes >= STRIKES -> end_job()
    :: else ->
        leave_worker((row.rescues == 0 -> AVAILABLE : SUSPECT));
        row.rescues = (row.rescues < 2 -> row.rescues + 1 : 2)
    fi
}

inline leave_under_way(what, by, number, of_era) {
    losses--;
    k = 0;
    do
    :: orphan[k].kind != NONE -> k++
    :: else -> break
    od;
    orphan[k].kind = what;
    orphan[k].id = by;
    orphan[k].claim = number;
    orphan[k].era = of_era
}

/* Of this process: claims without an answer that may still be executed, as a mask. */
#define COMING_IN(z, p) (orphan[z].kind == CLAIM && orphan[z].id == at[p].id -> 1 << orphan[z].claim : 0)
#if LOSSES < 2
#define COMING(p) COMING_IN(0, p)
#elif LOSSES == 2
#define COMING(p) (COMING_IN(0, p) | COMING_IN(1, p))
#else
#define COMING(p) (COMING_IN(0, p) | COMING_IN(1, p) | COMING_IN(2, p))
#endif

/* They are handed back for as long as one can come. Only the repeats that change something are steps here. */
#ifdef BREAK_PATIENCE
#define HAND_BACK_IS_DUE(p) (at[p].abandoned != 0)
#else
#define HAND_BACK_IS_DUE(p) \
    (at[p].abandoned != 0 && \
     ((row.state == RUNNING && row.owner == at[p].id && ((at[p].abandoned >> row.claim) & 1)) || \
      (at[p].abandoned & ~COMING(p)) != 0))
#endif

inline hear_claim(p) {
    if
    :: at[p].asks_id == at[p].id ->
        k = 0;
        do
        :: at[p].lease[k].phase != NONE -> k++
        :: else -> break
        od;
        at[p].lease[k].phase = HELD;
        at[p].lease[k].claim = at[p].asks_claim;
        at[p].lease[k].era = row.era
    :: else  /* those leases are gone */
    fi;
    drop_ask(p)
}

inline lose_claim(p) {
    leave_under_way(CLAIM, at[p].asks_id, at[p].asks_claim, 0);
#ifndef BREAK_ABANDONED
    if
    :: at[p].asks_id == at[p].id ->
        at[p].abandoned = at[p].abandoned | (1 << at[p].asks_claim)
    :: else
    fi;
#endif
    drop_ask(p)
}

inline new_id(p) {
#ifdef BREAK_NEW_ID
    dead[at[p].id] = 0;
#else
    at[p].id = given;
    given++;
#endif
    at[p].claims = 0;
    at[p].stale = 0
}

inline finish(p, s, what) {
    write(what, at[p].id, at[p].lease[s].claim, at[p].lease[s].era);
    drop_lease(p, s)  /* written, or the lease was lost: either way it is over */
}

/* The connection breaks: the outcome is kept, and written again. */
inline finish_in_vain(p, s, what) {
    leave_under_way(what, at[p].id, at[p].lease[s].claim, at[p].lease[s].era);
    at[p].lease[s].phase = what
}

#define IS(s, what) (OPEN && at[p].lease[s].phase == what)
#define ON_LEASE(s) \
    :: d_step { IS(s, HELD) -> finish(p, s, WILL_COMPLETE); check() } \
    :: d_step { IS(s, HELD) && losses > 0 -> finish_in_vain(p, s, WILL_COMPLETE) } \
    :: d_step { IS(s, HELD) && may_retry > 0 -> may_retry--; finish(p, s, WILL_RETRY); check() } \
    :: d_step { IS(s, HELD) && may_retry > 0 && losses > 0 -> may_retry--; finish_in_vain(p, s, WILL_RETRY) } \
    :: d_step { IS(s, HELD) && may_return > 0 -> may_return--; finish(p, s, WILL_RETURN); check() } \
    :: d_step { IS(s, HELD) && may_return > 0 && losses > 0 -> may_return--; finish_in_vain(p, s, WILL_RETURN) } \
    :: d_step { IS(s, WILL_COMPLETE) -> finish(p, s, WILL_COMPLETE); check() } \
    :: d_step { IS(s, WILL_RETRY) -> finish(p, s, WILL_RETRY); check() } \
    :: d_step { IS(s, WILL_RETURN) -> finish(p, s, WILL_RETURN); check() } \
    :: d_step { IS(s, WILL_COMPLETE) && losses > 0 -> finish_in_vain(p, s, WILL_COMPLETE) } \
    :: d_step { IS(s, WILL_RETRY) && losses > 0 -> finish_in_vain(p, s, WILL_RETRY) } \
    :: d_step { IS(s, WILL_RETURN) && losses > 0 -> finish_in_vain(p, s, WILL_RETURN) }

proctype worker(byte p) {
end:
    do
    /* A round's claim. The processes are alike: who is the first to claim does not matter. */
    :: d_step { !at[p].asks && !dead[at[p].id] && OPEN &&
            (p == 0 || at[p - 1].claims > 0 || at[p - 1].id != p - 1) ->
        at[p].claims++;
        assert(at[p].claims < 8);
        at[p].asks = 1;
        at[p].asks_id = at[p].id;
        at[p].asks_claim = at[p].claims }
    :: d_step { at[p].asks && IN_LINE ->
        take_row(at[p].asks_id, at[p].asks_claim);
        hear_claim(p);
        check() }
    :: d_step { OPEN && at[p].asks && losses > 0 -> lose_claim(p) }
    :: d_step { OPEN && HAND_BACK_IS_DUE(p) ->
        write(HAND_BACK, at[p].id, at[p].abandoned, 0);
#ifdef BREAK_PATIENCE
        at[p].abandoned = 0;
#else
        at[p].abandoned = at[p].abandoned & COMING(p);
#endif
        check() }
    :: d_step { OPEN && HAND_BACK_IS_DUE(p) && losses > 0 -> leave_under_way(HAND_BACK, at[p].id, at[p].abandoned, 0) }

    /* What it does with a job that it holds, and what it writes of it. */
    ON_LEASE(0)
    ON_LEASE(1)
    ON_LEASE(2)

    /* Its heartbeat is refused: it was declared dead. */
    :: d_step { OPEN && dead[at[p].id] ->
        lose_leases(p);
        new_id(p);
        check() }
    /* No heartbeat was accepted for two thirds of lease_timeout, until one comes through again. */
    :: d_step { OPEN && silences > 0 && at[p].claims > 0 && !dead[at[p].id] ->
        silences--;
        dead[at[p].id] = 1;
        lose_leases(p);
        new_id(p);
        check() }
    /* Killed: others will notice. Or signed off after a stop. */
    :: d_step { OPEN && crashes > 0 && at[p].claims > 0 ->
        crashes--;
        lose_leases(p);
        drop_ask(p);
        new_id(p);
        check() }
    od
}

#define ON_ORPHAN(z) \
    :: d_step { OPEN && orphan[z].kind != NONE -> forget(z) }  /* the server noticed: rolled back */ \
    :: d_step { OPEN && orphan[z].kind != NONE && orphan[z].kind != CLAIM -> \
        write(orphan[z].kind, orphan[z].id, orphan[z].claim, orphan[z].era); forget(z); check() } \
    :: d_step { OPEN && orphan[z].kind == CLAIM && IN_LINE -> take_row(orphan[z].id, orphan[z].claim); forget(z); check() }

/* The server, for statements whose client is gone; and a user. */
proctype server() {
end:
    do
    ON_ORPHAN(0)
#if LOSSES > 1
    ON_ORPHAN(1)
#endif
#if LOSSES > 2
    ON_ORPHAN(2)
#endif
    :: d_step { cancels > 0 && row.state == RUNNING -> cancels--; row.cancel = 1 }
    :: d_step { cancels > 0 && IN_LINE -> cancels--; end_job(); check() }
    od
}

#define LIVES(w) \
    ((at[0].id == (w) && at[0].claims > 0) || (at[1].id == (w) && at[1].claims > 0) || \
     (at[2].id == (w) && at[2].claims > 0))

inline declare_dead(w) {
    for (i : 0 .. 2) {
        if
        :: at[i].id == w ->
            silences--;
            at[i].stale = 1
        :: else
        fi
    }
    dead[w] = 1
}

/* Its beat did not move for lease_timeout. If the process lives it was paused, or has suspended itself. */
#define DECLARE(w) \
    :: d_step { OPEN && (w) < given && !dead[w] && ((LIVES(w) && silences > 0) || (!LIVES(w) && row.owner == (w))) -> \
        declare_dead(w) }

proctype leader() {
end:
    do
    DECLARE(0)
    DECLARE(1)
    DECLARE(2)
#if IDS > 3
    DECLARE(3)
#endif
#if IDS > 4
    DECLARE(4)
#endif
#if IDS > 5
    DECLARE(5)
#endif
#if IDS > 6
    DECLARE(6)
#endif
#if IDS > 7
    DECLARE(7)
#endif
#ifndef BREAK_RESCUE
    :: d_step { row.state == RUNNING && dead[row.owner] -> rescue(); check() }
#else
    :: d_step { row.state == RUNNING && dead[row.owner] && !visited[row.owner] ->
        visited[row.owner] = 1;
        rescue();
        check() }
#endif
    :: timeout ->  /* nobody has anything left to do */
        assert(row.ends == 1);  /* else the job is lost */
        break
    od
}

init {
    atomic {
        row.owner = NOBODY;
        at[1].id = 1;
        at[2].id = 2;
        run worker(0);
        run worker(1);
        run worker(2);
        run server();
        run leader()
    }
}
