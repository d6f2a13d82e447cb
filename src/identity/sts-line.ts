import { HOUR, SECOND } from '../lib/clock.ts';
import { createGate } from '../lib/gate.ts';
import { sourceOf } from '../lib/ip.ts';
import { createLru } from '../lib/lru.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { IdentityRefusal } from './authenticator.ts';
import type { Caller } from './caller.ts';

/** Counts what strangers cost, by address. */
export type SourceLimit = {
  /** Refuses an address that has cost too much, with the seconds until it may ask again. */
  readonly check: (address: string | undefined) => Result<undefined, number>;
  /**
   * Counts one against the address: STS refused its token, the caller is not admitted here, or the
   * queue was full.
   */
  readonly charge: (address: string | undefined) => void;
  /** Begins a call for the address; `weight` is what the address has cost and has under way. */
  readonly enter: (address: string | undefined) => {
    readonly weight: number;
    readonly leave: () => void;
  };
};

/**
 * What a call to STS is counted against: an address, or an access key that STS confirmed before
 * from that address (`known`).
 */
export type Account = { readonly address: string | undefined; readonly known: string | undefined };

/**
 * STS allows an account 600 requests a second in a region, for everything. Logins must not take
 * more than a part of that: 64 calls at once, and 256 that wait, for 2 s at most.
 */
const LINE = { running: 64, waiting: 256, patience: 2 * SECOND };

/**
 * Added to the weight of access keys that were confirmed before, so that it is below any
 * stranger's.
 */
const KNOWN = -1_000_000;

/**
 * For how long STS's confirmation of an access key is remembered, with its address: as long as
 * temporary credentials can live. And for how many keys: beyond that the one that was used longest
 * ago is a stranger again.
 */
const CONFIRMED_LIFE = 12 * HOUR;
const MAX_CONFIRMED = 20_000;

/** When to try again after the queue was full, in seconds: about the time that a call may wait. */
const RETRY_SECONDS = 2;

/** The name of an access key and its address as an account; no address has this form. */
function nameOf(accessKeyId: string, address: string | undefined): string {
  return `${accessKeyId}@${sourceOf(address)}`;
}

/**
 * The line to STS: the queue of all callers that STS has to confirm. There is one for each region,
 * so that a slow region does not stop another, and in each the next place goes to whoever has cost
 * least.
 *
 * An access key that was confirmed from an address before goes ahead of all strangers. It is an
 * account of its own, which the other costs of that address do not close. Whoever sends its id from
 * another address is a stranger. Whoever sends it from the same address can use that account up;
 * then both are strangers.
 *
 * There are as many queues as the table of STS hosts has regions (`LINE` is the bound of each).
 */
export function createStsLine(limit: SourceLimit) {
  const lines = new Map<string, ReturnType<typeof createGate>>();
  const confirmed = createLru<string, { readonly caller: Caller; readonly until: number }>(
    MAX_CONFIRMED,
  );

  function lineTo(host: string): ReturnType<typeof createGate> {
    const line = lines.get(host) ?? createGate(LINE);
    lines.set(host, line);
    return line;
  }

  /**
   * The caller that STS confirmed lately under this access key, or under the key and its address.
   * To name an access key proves nothing.
   */
  function callerOf(name: string): Caller | undefined {
    const found = confirmed.get(name);
    return found !== undefined && found.until > performance.now() ? found.caller : undefined;
  }

  function charge({ address, known }: Account): void {
    limit.charge(address);
    if (known !== undefined) limit.charge(known);
  }

  /** What a token that names this access key is counted against. */
  function accountOf(accessKeyId: string, address: string | undefined): Account {
    const name = nameOf(accessKeyId, address);
    return {
      address,
      known: callerOf(name) !== undefined && limit.check(name).ok ? name : undefined,
    };
  }

  /** Refuses an account that has cost too much. */
  function check({ address, known }: Account): Result<undefined, IdentityRefusal> {
    const within = limit.check(known ?? address);
    if (within.ok) return within;
    return refuse({
      kind: 'rate-limited',
      limit: 'refused-by-sts',
      retryAfterSeconds: within.refusal,
    });
  }

  /**
   * Runs a call to this STS host when it is its turn. If the queue is full, the account is charged.
   */
  async function wait<Value>(
    host: string,
    account: Account,
    run: () => Promise<Value>,
  ): Promise<Result<Value, IdentityRefusal>> {
    const { weight, leave } = limit.enter(account.known ?? account.address);
    try {
      const answered = await lineTo(host)(
        run,
        account.known === undefined ? weight : KNOWN + weight,
      );
      if (answered.ok) return ok(answered.value);
      charge(account);
      return refuse({
        kind: 'rate-limited',
        limit: 'waiting-for-sts',
        retryAfterSeconds: RETRY_SECONDS,
      });
    } finally {
      leave();
    }
  }

  /** Remembers a caller that STS confirmed. */
  function confirm(caller: Caller, address: string | undefined): void {
    const until = performance.now() + CONFIRMED_LIFE;
    confirmed.set(caller.accessKeyId, { caller, until });
    confirmed.set(nameOf(caller.accessKeyId, address), { caller, until });
  }

  return { callerOf, accountOf, check, charge, wait, confirm };
}
