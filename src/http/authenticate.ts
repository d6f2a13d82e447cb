import type { Refusals } from '../audit/refusals.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { AuthenticCaller, Authenticator, IdentityRefusal } from '../identity/authenticator.ts';
import type { Caller } from '../identity/caller.ts';
import { SECOND } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { Allowance, CallerLimit, CallerQuota, LimitRefusal } from '../limits/caller-limit.ts';
import { createCountOnce } from '../limits/count-once.ts';
import type { SourceLimit } from '../limits/source-limit.ts';
import type { Revocations } from '../revocations/feed.ts';
import { headerValues, type WireHead, type WireRequest } from '../sigv4/request.ts';
import { toRevokedRefusal } from '../actions/revoked.ts';
import { NO_LIST } from '../actions/vend/vend.ts';
import type { Arrival } from './arrival.ts';
import { readBody } from './body.ts';
import { recordRefusal } from './record-refusal.ts';
import type { Refusal } from './refusals.ts';

/** A request whose sender is known, with the one snapshot that everything about it is decided by. */
export type AuthenticRequest = AuthenticCaller & {
  readonly request: WireRequest;
  readonly snapshot: Snapshot;
  readonly address?: string;
  /** What every answer to this caller says of its rate. */
  readonly headers?: Readonly<Record<string, string>>;
  /** To be called when the request turns out to be a copy of one that another instance served: its signer gets back what
   * it was counted, and its address is charged. */
  readonly onCopy: () => Promise<void>;
};

export type Authenticate = (arrival: Arrival) => Promise<Result<AuthenticRequest, Refusal>>;

type Options = {
  /** Tells which of the authenticators, fixed at start, a request is for. */
  readonly authenticatorFor: (head: WireHead) => Authenticator;
  readonly addressOf: (arrival: Arrival) => string | undefined;
  /** Values of Host that are served; undefined for any. */
  readonly hosts: readonly string[] | undefined;
  readonly currentSnapshot: () => Promise<Snapshot | undefined>;
  readonly revocations: Pick<Revocations, 'ensure' | 'ofCaller' | 'isBroken'>;
  readonly callerLimit: CallerLimit;
  /** Counts by address those who could not prove who they are, and copies of others' requests. */
  readonly strangerLimit: Pick<SourceLimit, 'check' | 'charge'>;
  readonly refusals: Refusals;
};

const AUTHORIZATION_LIMIT = 16 * 1024;

/** Whom requests are counted against. */
function countedAs({ subject }: Caller): string {
  return subject;
}

/**
 * Finds out who sent a request: every check that costs nothing first, then the body, then the proof. Whoever proves who
 * they are pays for nobody else at their address: what strangers cost there refuses strangers only. A refusal of identity
 * is written to the audit log before it is answered.
 */
export function createAuthenticate(options: Options): Authenticate {
  const { authenticatorFor, addressOf, currentSnapshot, revocations, callerLimit, strangerLimit, refusals } = options;

  const countOnce = createCountOnce(callerLimit);

  /** Refuses a stranger whose address has cost too much, and else charges it. */
  function chargeStranger(address: string | undefined): Result<undefined, Refusal> {
    const within = strangerLimit.check(address);
    if (!within.ok)
      return refuse({ kind: 'rate-limited', what: STRANGERS, retryAfterSeconds: within.refusal, headers: undefined });
    strangerLimit.charge(address);
    return ok(undefined);
  }

  async function checkQuota(caller: Caller): Promise<Result<undefined, IdentityRefusal>> {
    const left = await callerLimit.peek(countedAs(caller));
    return left.ok ? left : refuse(toLimitRefusal(left.refusal, caller, callerLimit.quota));
  }

  /** Counts a request against its caller, and a copy of one against nobody. */
  async function count(
    { caller, replay }: AuthenticCaller,
    address: string | undefined,
  ): Promise<Result<Pick<AuthenticRequest, 'headers' | 'onCopy'>, Refusal>> {
    const { taken, copied } = await countOnce.count(countedAs(caller), replay?.key);
    if (!taken.ok) return refuse(toLimitRefusal(taken.refusal, caller, callerLimit.quota));
    if (copied) return ok({ onCopy: () => Promise.resolve() });
    function onCopy(): Promise<void> {
      strangerLimit.charge(address);
      return callerLimit.giveBack(countedAs(caller));
    }
    return ok({ headers: rateHeaders(taken.value, callerLimit.quota), onCopy });
  }

  /** Whether a request closes a number of the log for the lack of which nobody is served: else nobody ever could. */
  function isMending({ method, path }: WireHead): boolean {
    return method === 'DELETE' && revocations.isBroken(Number(/^\/revocations\/(\d{1,15})$/u.exec(path)?.[1]));
  }

  /** Whoever is revoked is refused everywhere. */
  function checkRevoked(caller: Caller): Result<undefined, Refusal> {
    const revoked = revocations.ofCaller(caller);
    return revoked === undefined ? ok(undefined) : refuse({ ...toRevokedRefusal(revoked, caller), caller });
  }

  async function authenticate(
    { incoming, admit, ...arriving }: Arrival,
    authenticator: Authenticator,
    address: string | undefined,
  ): Promise<Result<Omit<AuthenticRequest, 'address'>, Refusal>> {
    const short = checkHead(arriving.head);
    if (!short.ok) return short;
    const proof = authenticator.begin({ head: arriving.head, lambdaContext: arriving.lambdaContext });
    if (!proof.ok) return proof;
    const served = checkHost(arriving.head, options.hosts);
    if (!served.ok) return served;
    const body = await readBody(incoming);
    if (!body.ok) return body;
    const snapshot = await currentSnapshot();
    if (snapshot === undefined) return refuse(NO_CATALOG);
    const request = { ...arriving.head, body: body.value };
    const { account, neverCallers, clients, sealingKeys } = snapshot;
    const ring = { account, neverCallers, findKey: (id: string) => clients.get(id), sealingKeys };
    const known = await proof.value(request, { ring, address, checkQuota });
    if (!known.ok) return known;
    // A copy is a stranger's: it costs its address, and its signer nothing.
    const copied = countOnce.isKnown(known.value.replay?.key);
    const charged = copied ? chargeStranger(address) : ok(undefined);
    if (!charged.ok) return charged;
    // Here the work begins. Whoever is not proven takes no place, so that strangers cannot fill them.
    if (!(await admit())) return refuse({ kind: 'overloaded' });
    // Before the count, which may have to go on without the table: only this tells whether that is an outage.
    const isKnown = (await revocations.ensure()).ok || isMending(request);
    if (!isKnown) return refuse(NO_LIST);
    const counted = await count(known.value, address);
    if (!counted.ok) return counted;
    const revoked = checkRevoked(known.value.caller);
    if (!revoked.ok) return revoked;
    return ok({ ...known.value, request, snapshot, ...counted.value });
  }

  /** What fails to prove who sent it, and what was used before, is a stranger's. */
  function asStranger(refusal: Refusal, address: string | undefined): Refusal {
    if (refusal.kind !== 'not-authentic' && refusal.kind !== 'replayed') return refusal;
    const charged = chargeStranger(address);
    return charged.ok ? refusal : charged.refusal;
  }

  return async (arrival) => {
    const { head, requestId } = arrival;
    const address = addressOf(arrival);
    const authenticator = authenticatorFor(head);
    const result = await authenticate(arrival, authenticator, address);
    const from = address === undefined ? {} : { address };
    if (result.ok) return ok({ ...result.value, ...from });
    const claimed = authenticator.claimedKey(head);
    const refusal = asStranger(result.refusal, address);
    return refuse(await recordRefusal(refusals, refusal, { head, requestId, address, claimed }));
  };
}

const NO_CATALOG = { kind: 'unavailable', what: 'the catalog of policies and keys', cause: 'catalog' } as const;
const NO_COUNT = { kind: 'unavailable', what: 'the count of your requests', cause: 'rate_limit' } as const;

const STRANGERS = 'Too many requests from your address could not prove who sent them, or were copies';

/** The draft of the IETF: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ */
function rateHeaders({ left, resetSeconds }: Allowance, { requests, window }: CallerQuota) {
  return {
    'ratelimit-policy': `"caller";q=${requests};w=${window / SECOND}`,
    ratelimit: `"caller";r=${left};t=${resetSeconds}`,
  };
}

function toLimitRefusal(refusal: LimitRefusal, { name }: Caller, quota: CallerQuota): IdentityRefusal {
  if (refusal.kind === 'unavailable') return NO_COUNT;
  const { allowance } = refusal;
  return {
    kind: 'rate-limited',
    what: `${name} has sent ${quota.requests} requests in ${quota.window / SECOND} s, which is all that one caller may`,
    retryAfterSeconds: allowance.resetSeconds,
    headers: rateHeaders(allowance, quota),
  };
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/u, '');
}

/** Of a Host that is none of ours so much is repeated, and no control characters. */
const HOST_SHOWN = 100;

/** What was signed for another host is not for this server, whoever signed it. */
function checkHost({ headers }: WireHead, hosts: readonly string[] | undefined): Result<undefined, Refusal> {
  const [host = ''] = headerValues(headers, 'host').map((value) => value.toLowerCase());
  function isServed(listed: string): boolean {
    return listed.toLowerCase() === host || listed.toLowerCase() === withoutPort(host);
  }
  if (hosts !== undefined && !hosts.some(isServed)) {
    const shown = host.slice(0, HOST_SHOWN).replaceAll(/[^\x20-\x7e]/gu, '?');
    const message = `The host "${shown}" is not one that this server answers for; it answers for ${hosts.join(', ')}. Sign for one of these, or ask its operator to set SENTINEL_HOSTS.`;
    return refuse({ kind: 'invalid', message });
  }
  return ok(undefined);
}

function checkHead({ headers }: WireHead): Result<undefined, Refusal> {
  if (headerValues(headers, 'authorization').some((value) => value.length > AUTHORIZATION_LIMIT)) {
    return refuse({
      kind: 'headers-too-large',
      message: `The Authorization header is longer than ${AUTHORIZATION_LIMIT} bytes.`,
    });
  }
  return ok(undefined);
}
