/* PushRing: the placement protocol for ONE user, as a bounded Promela model.
 *
 * The property is the invariant of the design ("complete means complete"): when a member may answer
 * "complete" for the user, no other member holds an open welcomed stream of that user.
 *
 * One process, one loop. Every option is one indivisible step of a member or of the registry (whose Lua
 * scripts are indivisible anyway), so any interleaving, delay and lost announcement is a choice of the
 * next option, and no channels or program counters blow the state up. Nothing is counted except views:
 * leases, sessions, reports and acknowledgements may come and go any number of times.
 *
 * Sizes and switches (-D): VERSIONS views in all; LOSSES registry losses (0 or 1); INIT a mask of the allowed first
 * views (bit i-1: the members of the number i, seen as a bit set, are active and settled);
 * DRAIN=0 leaves out drain and leave; BATCH publishes several changes in one view; CHANNEL makes reports and
 * retractions travel; BROKEN_* weaken one rule each; REACH_* ask whether a situation can be reached at all. */

#ifndef VERSIONS
#define VERSIONS 4
#endif
#ifndef LOSSES
#define LOSSES 1
#endif
#ifndef INIT
#define INIT 127
#endif
#ifndef DRAIN
#define DRAIN 1
#endif
#ifdef BROKEN_UNORDERED_RETRACTIONS
#define CHANNEL
#endif

#define ABSENT   0
#define ACTIVE   1
#define DRAINING 2
#define GRACE    3
#define NONE     3              /* no owner */

/* ---- views: immutable once published. A view is named by its place in the order of publication, which is
 * what number and digest together give: two views of different content never have the same name. */
byte vst[(VERSIONS+1)*3];       /* state of a member in a view, + 4 * parity of its incarnation */
byte own[VERSIONS+1];           /* the owner: first active member in the order 0, 1, 2 (the ring for one hash) */
byte before[VERSIONS+1];        /* the settled view that was published with it */
bit  stl[VERSIONS+1];           /* it settled */
#define ST(v,m)   (vst[(v)*3+(m)] & 3)
#define INC(v,m)  (vst[(v)*3+(m)] >> 2)

/* ---- registry */
byte newest;                    /* views published so far */
byte current;                   /* the registry's current view, 0: it knows none (emptied) */
byte settled;                   /* its settled view, 0: none */
byte base = 1;                  /* first view of this life of the registry's data */
byte reg[3];                    /* the member table */
byte regSince[3];               /* the version at which the member joined or last resumed */
bit  acked[3];                  /* who acknowledged the current view (while it was current) */
bit  heldBefore[3];             /* lived before the loss; neither resumed nor ended since */
#ifdef BATCH
bit  dirty;                     /* the member table has changes that no view shows yet */
#endif

/* ---- members; a slot holds one incarnation at a time */
bit  alive[3];
bit  inc[3];                    /* parity of the incarnation in the slot */
bit  lease[3];                  /* the member's own idea of its lease */
bit  oldLease[3];               /* ... and it was granted before the loss */
bit  draining[3];
byte wset[3], wcur[3];          /* window: settled, current */
byte pset[3], pcur[3];          /* window before it resumed from a loss, while old leases may run */
byte since[3];                  /* at which version it joined or resumed, as it knows */
bit  open[3];                   /* a welcomed stream of the user is open here */
bit  told[9];                   /* told[q*3+p]: q counts its stray as recorded by p */
byte stray[9];                  /* stray[p*3+q]: 0, or p has a stray of q, 1 + the reporter's `since` when still ahead of p */
#ifdef CHANNEL
bit  flyReport[9], flyRetract[9];   /* [q*3+p] on the way from q to p */
bit  lastIsReport[9];
#endif

/* ---- bookkeeping that only some switches need */
#ifdef BROKEN_STALE_ACK
byte ackedOf[VERSIONS+1];
#endif
#ifdef BROKEN_RESUME_AS_NEW
byte asNew[VERSIONS+1];         /* 1 + the member that "joined" in this view although it resumed */
#endif
#ifdef REACH_CLAIM_AFTER_RESUME
bit resumed[3];
#endif
#ifdef REACH_CLAIM_AFTER_JOIN
bit joined[3];
#endif

hidden byte i, j, lo, was;

#define ANY_OLD_LEASE   (oldLease[0] || oldLease[1] || oldLease[2])
#define HELD_BEFORE     (heldBefore[0] || heldBefore[1] || heldBefore[2])
#ifdef BROKEN_NO_BARRIER
#define BARRIER_OVER    true
#else
#define BARRIER_OVER    (!ANY_OLD_LEASE && !HELD_BEFORE)
#endif

/* ---- R1. The owner in v of which q is not: told, or excused. Gone: the process ended, which a refused
 * connection proves. Removed: not (active or draining) in q's own current view - but after a loss the views
 * say nothing about leases granted before it, so an old lease that may still run is no excuse. */
#define GONE(v)         (!alive[own[v]] || INC(v,own[v]) != inc[own[v]])
#define REMOVED(q,v)    (ST(wcur[q],own[v]) == ABSENT || ST(wcur[q],own[v]) == GRACE)
#define MUST_TELL(q,v)  ((v) != 0 && own[v] != NONE && own[v] != (q) && !GONE(v) && !told[(q)*3+own[v]])
#define R1_VIEW(q,v)    (!MUST_TELL(q,v) || (REMOVED(q,v) && !oldLease[own[v]]))
#define R1_PRIOR(q,v)   (!MUST_TELL(q,v) || !oldLease[own[v]])
#ifdef BROKEN_TELL_ONLY_CURRENT_OWNER
#define R1_WINDOW(q)    R1_VIEW(q,wcur[q])
#else
#define R1_WINDOW(q)    (R1_VIEW(q,wset[q]) && R1_VIEW(q,wcur[q]))
#endif
/* A new incarnation that joined after the loss has no window from before it, knows nobody's old lease, and waits. */
#define R1_LOSS(q)      (!ANY_OLD_LEASE || wcur[q] < base || \
                         (pcur[q] != 0 && R1_PRIOR(q,pset[q]) && R1_PRIOR(q,pcur[q])))
#define MAY_WELCOME(q)  (alive[q] && lease[q] && wcur[q] != 0 && !draining[q] && R1_WINDOW(q) && R1_LOSS(q))

/* ---- R2: the owner in v, if another, has recorded the stray. */
#define R2(q,v)         (!open[q] || own[v] == NONE || own[v] == (q) || \
                         (INC(v,own[v]) == inc[own[v]] && told[(q)*3+own[v]]))

/* ---- R3 */
#define OWNS(p,v)       ((v) != 0 && own[v] == (p) && since[p] <= (v))
#define MAY_CLAIM(p)    (alive[p] && lease[p] && wcur[p] != 0 && OWNS(p,wset[p]) && OWNS(p,wcur[p]) && \
                         stray[(p)*3] == 0 && stray[(p)*3+1] == 0 && stray[(p)*3+2] == 0)
#define OPEN_ELSEWHERE(p) (((p) != 0 && open[0]) || ((p) != 1 && open[1]) || ((p) != 2 && open[2]))

#define IN_WINDOW(q,p)  (own[wset[q]] == (p) || own[wcur[q]] == (p) || own[pset[q]] == (p) || own[pcur[q]] == (p))

/* Views that no window and no announcement can name any more are blanked: states that differ only there are one. */
inline low(v) { if :: (v) != 0 && (v) < lo -> lo = (v) :: else fi }
inline sweep() {
	lo = VERSIONS+1;
	low(settled); low(current);
	for (i : 0 .. 2) { low(wset[i]); low(wcur[i]); low(pset[i]); low(pcur[i]) }
	i = 1;
	do
	:: i < lo && i <= newest ->
		vst[i*3] = 0; vst[i*3+1] = 0; vst[i*3+2] = 0;
		own[i] = NONE; before[i] = 0; stl[i] = 0; i++
	:: else -> break
	od;
	i = 0; lo = 0
}

/* `before` keeps a settled view that is older than every window out of the sweep only through the windows. */
inline publish() {
	newest++;
	current = newest;
	own[newest] = NONE;
	for (i : 0 .. 2) {
		acked[i] = 0;
		vst[newest*3+i] = (reg[i] == ABSENT -> 0 : reg[i] + 4*inc[i]);
		if :: reg[i] == ACTIVE && own[newest] == NONE -> own[newest] = i :: else fi
	}
	before[newest] = settled;
	i = 0
}
#ifdef BATCH
#define CHANGED dirty = 1
#else
#define CHANGED publish()
#endif
#define ROOM (newest < VERSIONS)

inline settle(v) {
	settled = v; stl[v] = 1;
	acked[0] = 0; acked[1] = 0; acked[2] = 0;
#ifdef REACH_SETTLE_AFTER_LOSS
	assert(base == 1);
#endif
}
#define LISTED_ACKED(m) (ST(current,m) == ABSENT || acked[m])
#ifdef BATCH
#define UNSHOWN (base > 1 && dirty)
#else
#define UNSHOWN false
#endif
#define MAY_SETTLE (current != 0 && !stl[current] && LISTED_ACKED(0) && LISTED_ACKED(1) && LISTED_ACKED(2) \
                    && BARRIER_OVER && !UNSHOWN)

/* R5. p has just moved its window: forget whom its current view no longer lists at all, judged only by a view
 * at least as new as the report (a late announcement must not wipe out what a later incarnation or resume said). */
inline forget(p) {
	for (i : 0 .. 2) {
		if
		:: stray[(p)*3+i] != 0 && stray[(p)*3+i] <= wcur[p] + 1 ->
			stray[(p)*3+i] = ((ST(wcur[p],i) == ABSENT || INC(wcur[p],i) != inc[i]) -> 0 : 1)
		:: else
		fi
	}
#ifdef BROKEN_RESUME_AS_NEW
	for (i : was+1 .. wcur[p]) { if :: asNew[i] != 0 -> stray[(p)*3+asNew[i]-1] = 0 :: else fi }
#endif
	i = 0
}
#define REPORT_MARK(q,p) (since[q] > wcur[p] -> since[q] + 1 : 1)

inline oldLeaseOver(m) {
	oldLease[m] = 0;
	if
	:: !ANY_OLD_LEASE ->
		for (i : 0 .. 2) { pset[i] = 0; pcur[i] = 0 }
		i = 0
	:: else
	fi
}

/* The process of slot m ends: killed, left, or past its grace by its own clock (it closes its streams first and
 * comes back, if at all, as a new incarnation). Its strays are forgotten at once: the earliest moment at which
 * anyone could have the proof, so the most claims. */
inline endProcess(m) {
	alive[m] = 0; open[m] = 0; lease[m] = 0; heldBefore[m] = 0; draining[m] = 0;
	wset[m] = 0; wcur[m] = 0; pset[m] = 0; pcur[m] = 0; since[m] = 0;
	for (i : 0 .. 2) {
		told[(m)*3+i] = 0; stray[(m)*3+i] = 0; stray[i*3+(m)] = 0;
#ifdef CHANNEL
		flyReport[(m)*3+i] = 0; flyRetract[(m)*3+i] = 0; lastIsReport[(m)*3+i] = 0;
		flyReport[i*3+(m)] = 0; flyRetract[i*3+(m)] = 0; lastIsReport[i*3+(m)] = 0;
#endif
	}
	oldLeaseOver(m);
	sweep()
}

/* ================= steps of one member m ================= */
#ifdef BROKEN_LEASE_FROM_REPLY
#define OWN_LEASE_OVER(m) true
#else
#define OWN_LEASE_OVER(m) (!lease[m])
#endif
#ifdef BROKEN_NO_GRACE
#define AFTER_LEASE ABSENT
#define IN_GRACE(m) (reg[m] == ABSENT && wcur[m] != 0 && wcur[m] >= base)
#else
#define AFTER_LEASE GRACE
#define IN_GRACE(m) (reg[m] == GRACE)
#endif

#define SERVES(m) (reg[m] == ACTIVE || reg[m] == DRAINING)

#ifdef REACH_STRAY_WELCOME
#define REACHED_WELCOME(q) assert(own[wcur[q]] == (q) || own[wcur[q]] == NONE)
#else
#define REACHED_WELCOME(q) skip
#endif

#define STEP_WELCOME(q) \
	:: d_step { !open[q] && MAY_WELCOME(q) -> open[q] = 1; REACHED_WELCOME(q) }
#define STEP_END_SESSION(q) \
	:: d_step { open[q] -> open[q] = 0 }

#define STEP_LEASE_ENDS(m) \
	:: d_step { lease[m] -> lease[m] = 0; oldLeaseOver(m); sweep() }

/* Own lease again. The answer carries the window and `since`; a member that resumed takes both over with it, and
 * has its report streams to verify: nothing counts as recorded until an owner said so again. */
inline renewed(m) {
	lease[m] = 1;
	was = wcur[m];
	if
	:: since[m] != regSince[m] ->
#ifndef BROKEN_RESUME_AS_NEW
		told[(m)*3] = 0; told[(m)*3+1] = 0; told[(m)*3+2] = 0;
#endif
#ifdef BROKEN_OWNS_BEFORE_RESUME
		if :: since[m] == 0 -> since[m] = regSince[m] :: else fi
#else
		since[m] = regSince[m]
#endif
	:: else
	fi;
	if
	:: wcur[m] < regSince[m] ->
		if
		:: wcur[m] != 0 && wcur[m] < base && ANY_OLD_LEASE -> pset[m] = wset[m]; pcur[m] = wcur[m]
		:: else
		fi;
		wset[m] = settled; wcur[m] = current;
		forget(m)
	:: else
	fi;
	was = 0;
	sweep()
}
#define STEP_RENEW(m) \
	:: d_step { alive[m] && !lease[m] && SERVES(m) && regSince[m] <= current && current != 0 -> renewed(m) }

#ifdef BROKEN_STALE_ACK
#define STEP_ACKNOWLEDGE(m) \
	:: d_step { alive[m] && wcur[m] != 0 && wcur[m] >= base && current != 0 && wcur[m] > settled && \
		ST(wcur[m],m) != ABSENT && !(ackedOf[wcur[m]] & (1 << m)) && R2(m,wcur[m]) -> \
		i = wcur[m]; \
		ackedOf[i] = ackedOf[i] | (1 << m); \
		if \
		:: (ST(i,0) == ABSENT || (ackedOf[i] & 1)) && (ST(i,1) == ABSENT || (ackedOf[i] & 2)) && \
		   (ST(i,2) == ABSENT || (ackedOf[i] & 4)) && BARRIER_OVER -> settled = i; stl[i] = 1 \
		:: else \
		fi; i = 0 }
#else
#define STEP_ACKNOWLEDGE(m) \
	:: d_step { alive[m] && wcur[m] != 0 && wcur[m] == current && !stl[current] && !acked[m] && \
		ST(current,m) != ABSENT && INC(current,m) == inc[m] && R2(m,current) -> \
		acked[m] = 1; \
		if :: MAY_SETTLE -> settle(current) :: else fi }
#endif

#define STEP_CLAIM_VIOLATES(p) \
	:: d_step { MAY_CLAIM(p) && OPEN_ELSEWHERE(p) -> assert(!OPEN_ELSEWHERE(p)) }

#define STEP_PROCESS_ENDS(m) \
	:: d_step { alive[m] -> endProcess(m) }

#ifdef REACH_CLAIM_AFTER_JOIN
#define REACHED_JOIN(m) joined[m] = 1
#else
#define REACHED_JOIN(m) skip
#endif
/* A slot is used once more at most, so that the parity tells its incarnations apart. What the others know of the
 * old incarnation is keyed by it and harmless (it is dead); it is dropped. */
#define STEP_JOIN(m) \
	:: d_step { ROOM && !alive[m] && reg[m] == ABSENT && inc[m] == 0 -> \
		alive[m] = 1; inc[m] = 1; reg[m] = ACTIVE; regSince[m] = newest+1; \
		told[m] = 0; told[3+m] = 0; told[6+m] = 0; REACHED_JOIN(m); CHANGED }

#define STEP_REMOVE(m) \
	:: d_step { ROOM && SERVES(m) && OWN_LEASE_OVER(m) -> reg[m] = AFTER_LEASE; regSince[m] = 0; CHANGED }

/* Only after the process ended: its own grace ends first, as its own lease does. */
#define STEP_GRACE_OVER(m) \
	:: d_step { ROOM && reg[m] == GRACE && !alive[m] -> reg[m] = ABSENT; CHANGED }

#ifdef REACH_CLAIM_AFTER_RESUME
#define REACHED_RESUME(m) resumed[m] = 1
#else
#define REACHED_RESUME(m) skip
#endif
#ifdef BROKEN_RESUME_AS_NEW
#define RESUMED_AS(m) asNew[newest] = 1 + m
#else
#define RESUMED_AS(m) skip
#endif
/* The registry's half of a resume; the answer may be late or lost (STEP_RENEW is the member's half). After a loss the
 * member's current view is the floor: whom it lists and who has not resumed counts as in grace. */
#define STEP_RESUME(m) \
	:: d_step { ROOM && alive[m] && !lease[m] && (IN_GRACE(m) || heldBefore[m]) -> \
		if \
		:: heldBefore[m] -> \
			heldBefore[m] = 0; \
			for (i : 0 .. 2) { \
				if \
				:: reg[i] == ABSENT && ST(wcur[m],i) != ABSENT && INC(wcur[m],i) == inc[i] -> reg[i] = GRACE \
				:: else \
				fi } \
		:: else \
		fi; \
		reg[m] = (draining[m] -> DRAINING : ACTIVE); regSince[m] = newest+1; REACHED_RESUME(m); \
		CHANGED; RESUMED_AS(m); i = 0 }

#define STEP_DRAIN(m) \
	:: d_step { DRAIN && ROOM && alive[m] && lease[m] && reg[m] == ACTIVE -> reg[m] = DRAINING; draining[m] = 1; CHANGED }
#define STEP_LEAVE(m) \
	:: d_step { DRAIN && ROOM && alive[m] && !open[m] && SERVES(m) -> \
		endProcess(m); reg[m] = ABSENT; regSince[m] = 0; CHANGED }

/* ---- learning: any later pair (settled, current) of the same life of the registry's data, also an announcement
 * that comes late. Over a loss a window moves only with the member's own resume. */
#define SAME_LIFE(m,c) ((wcur[m] >= base) == ((c) >= base))
inline moveTo(m,s,c) { was = wcur[m]; wset[m] = s; wcur[m] = c; forget(m); was = 0; sweep() }
#ifdef BROKEN_STALE_ACK
#define STEP_LEARN(m,c) \
	:: d_step { alive[m] && wcur[m] != 0 && current == c && SAME_LIFE(m,c) && \
		(c > wcur[m] || settled > wset[m]) -> moveTo(m,settled,c) }
#else
#define STEP_LEARN(m,c) \
	:: d_step { alive[m] && wcur[m] != 0 && c > wcur[m] && c <= newest && SAME_LIFE(m,c) -> moveTo(m,before[c],c) } \
	:: d_step { alive[m] && wcur[m] != 0 && stl[c] && c >= wcur[m] && c > wset[m] && SAME_LIFE(m,c) -> moveTo(m,c,c) }
#endif

/* ---- reports and retractions. Sent and applied in one step: with order kept, a report on its way permits nothing to
 * its sender, and a retraction on its way only keeps a stray (and so forbids a claim) longer. CHANNEL lets them travel,
 * to check just this; R, T, R in flight are their last one, since in between nobody is permitted anything new. */
#ifndef CHANNEL
#define STEP_REPORT(q,p) \
	:: d_step { alive[q] && alive[p] && wcur[q] != 0 && IN_WINDOW(q,p) && \
		(!told[q*3+p]) -> told[q*3+p] = 1; stray[p*3+q] = REPORT_MARK(q,p) }
#define STEP_RETRACT(q,p) \
	:: d_step { alive[q] && alive[p] && !open[q] && (told[q*3+p] || stray[p*3+q] != 0) -> \
		told[q*3+p] = 0; stray[p*3+q] = 0 }
#else
#ifdef BROKEN_UNORDERED_RETRACTIONS
#define OVERTAKEN(x) skip
#else
#define OVERTAKEN(x) x = 0
#endif
#define STEP_REPORT(q,p) \
	:: d_step { alive[q] && alive[p] && wcur[q] != 0 && IN_WINDOW(q,p) && !told[q*3+p] && !flyReport[q*3+p] -> \
		flyReport[q*3+p] = 1; OVERTAKEN(flyRetract[q*3+p]); lastIsReport[q*3+p] = 1 } \
	:: d_step { alive[p] && flyReport[q*3+p] -> flyReport[q*3+p] = 0; stray[p*3+q] = REPORT_MARK(q,p); \
		if :: lastIsReport[q*3+p] -> told[q*3+p] = 1 :: else fi }
#define STEP_RETRACT(q,p) \
	:: d_step { alive[q] && alive[p] && !open[q] && lastIsReport[q*3+p] && !flyRetract[q*3+p] -> \
		told[q*3+p] = 0; lastIsReport[q*3+p] = 0; flyRetract[q*3+p] = 1; OVERTAKEN(flyReport[q*3+p]) } \
	:: d_step { alive[p] && flyRetract[q*3+p] -> flyRetract[q*3+p] = 0; stray[p*3+q] = 0 }
#endif

/* ---- whole-registry steps */
#define STEP_LOSS \
	:: d_step { LOSSES && base == 1 && ROOM -> \
		base = newest+1; current = 0; settled = 0; \
		for (i : 0 .. 2) { \
			reg[i] = ABSENT; regSince[i] = 0; acked[i] = 0; \
			heldBefore[i] = (alive[i] && wcur[i] != 0); oldLease[i] = lease[i] } \
		i = 0; FORGET_DIRTY; sweep() }
#ifdef BATCH
#define FORGET_DIRTY dirty = 0
#define STEP_PUBLISH :: d_step { dirty && ROOM -> dirty = 0; publish() }
#else
#define FORGET_DIRTY skip
#define STEP_PUBLISH
#endif
/* An acknowledgement settles in its own step; this is for those that had to wait for the barrier. */
#define STEP_SETTLE \
	:: d_step { base > 1 && MAY_SETTLE -> settle(current) }

#ifdef REACH_CLAIM_AFTER_RESUME
#define STEP_REACH(p) :: d_step { MAY_CLAIM(p) && resumed[p] && base == 1 -> assert(false) }
#else
#ifdef REACH_CLAIM_AFTER_JOIN
#define STEP_REACH(p) :: d_step { MAY_CLAIM(p) && joined[p] && base == 1 -> assert(false) }
#else
#ifdef REACH_CLAIM_AFTER_LOSS
#define STEP_REACH(p) :: d_step { MAY_CLAIM(p) && base > 1 && wcur[p] >= base -> assert(false) }
#else
#define STEP_REACH(p)
#endif
#endif
#endif

#define STEPS(m,a,b) \
	STEP_CLAIM_VIOLATES(m) STEP_REACH(m) \
	STEP_WELCOME(m) STEP_END_SESSION(m) \
	STEP_REPORT(m,a) STEP_REPORT(m,b) STEP_RETRACT(m,a) STEP_RETRACT(m,b) \
	STEP_ACKNOWLEDGE(m) STEP_RENEW(m) STEP_LEASE_ENDS(m) STEP_REMOVE(m) STEP_RESUME(m) \
	STEP_GRACE_OVER(m) STEP_PROCESS_ENDS(m) STEP_JOIN(m) STEP_DRAIN(m) STEP_LEAVE(m) LEARNS(m)

#if VERSIONS == 3
#define LEARNS(m) STEP_LEARN(m,1) STEP_LEARN(m,2) STEP_LEARN(m,3)
#elif VERSIONS == 4
#define LEARNS(m) STEP_LEARN(m,1) STEP_LEARN(m,2) STEP_LEARN(m,3) STEP_LEARN(m,4)
#elif VERSIONS == 5
#define LEARNS(m) STEP_LEARN(m,1) STEP_LEARN(m,2) STEP_LEARN(m,3) STEP_LEARN(m,4) STEP_LEARN(m,5)
#elif VERSIONS == 6
#define LEARNS(m) STEP_LEARN(m,1) STEP_LEARN(m,2) STEP_LEARN(m,3) STEP_LEARN(m,4) STEP_LEARN(m,5) STEP_LEARN(m,6)
#else
#define LEARNS(m) STEP_LEARN(m,1) STEP_LEARN(m,2) STEP_LEARN(m,3) STEP_LEARN(m,4) STEP_LEARN(m,5) STEP_LEARN(m,6) STEP_LEARN(m,7)
#endif

#define FIRST(set) :: (INIT & (1 << (set-1))) -> was = set

init {
	atomic {
		own[0] = NONE;
		if FIRST(7) FIRST(6) FIRST(3) FIRST(5) FIRST(1) FIRST(2) FIRST(4) fi;
		d_step {
			for (i : 0 .. 2) {
				if
				:: was & (1 << i) -> alive[i] = 1; reg[i] = ACTIVE; regSince[i] = 1; lease[i] = 1; since[i] = 1;
					wset[i] = 1; wcur[i] = 1
				:: else
				fi
			}
			publish(); settled = 1; stl[1] = 1; was = 0; i = 0; 
			for (i : 1 .. VERSIONS) { if :: i > 1 -> own[i] = NONE :: else fi }
			i = 0
		}
	}
	do
	STEPS(0,1,2)
	STEPS(1,0,2)
	STEPS(2,0,1)
	STEP_LOSS
	STEP_PUBLISH
	STEP_SETTLE
	od
}
