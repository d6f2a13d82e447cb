import type { Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { sha256Hex } from '../sigv4/canonical.ts';
import {
  BINDING_HEADERS,
  FORWARDED_SCHEME,
  requestHash,
  STS_BODY,
  STS_CONSTANT_HEADERS,
} from '../sigv4/forwarded.ts';
import { readForwardedToken, type ForwardedClaim } from '../sigv4/forwarded-token.ts';
import { headerValues, type WireHead, type WireRequest } from '../sigv4/request.ts';
import { ALGORITHM } from '../sigv4/signature.ts';
import type { StsHosts } from '../sigv4/sts-hosts.ts';
import { readMechanism, type ReplayClaim } from '../sigv4/verify.ts';
import { toAwsCaller, type Admission, type AwsIdentity } from './aws-identity.ts';
import {
  fromSigV4,
  notAuthentic,
  type AuthenticCaller,
  type Authenticator,
  type Facts,
  type IdentityRefusal,
  type Arriving,
  type Prove,
} from './authenticator.ts';
import type { Caller } from './caller.ts';
import type { KeySource } from './minted-key.ts';
import { readStsAnswer } from './sts-answer.ts';
import type { AskSts, StsRequest } from './sts-call.ts';
import { NO_ANSWER, toGuardRefusal, toIdentityRefusal } from './sts-refusals.ts';
import { createStsLine, type Account, type SourceLimit } from './sts-line.ts';

/** Remembers a claim; refuses one that was used before, and one that it cannot remember. */
type Reserve = (
  claim: ReplayClaim,
  now: number,
) => Promise<Result<{ readonly release: () => Promise<void> }, 'replayed' | 'unavailable'>>;

type Options = {
  readonly clock: Clock;
  readonly serverId: string;
  readonly hosts: StsHosts;
  readonly window: number;
  readonly admission: Admission;
  readonly askSts: AskSts;
  /** Reserves a nonce in this instance's memory, before STS is asked. */
  readonly reserveLocally: Reserve;
  /** Reserves a nonce for all instances, after STS confirmed a caller that is admitted. */
  readonly reserveForAll: Reserve;
  readonly limit: SourceLimit;
  readonly onFault: (error: unknown) => void;
};

/** Headers that would steer a decision, but that nothing in a forwarded request signs. */
const STEERING = /^x-(?:amz|sentinel)-/u;

/**
 * `Sentinel-STS <token>`: the caller signed GetCallerIdentity. That request is rebuilt here, from
 * constants and the few values in the token, and STS says who signed it. Everything that can be
 * checked offline is checked before STS is asked:
 *
 *     token ─ form, region, window, scope, signed headers ─ binding to this request
 *           ─ quota of a known key ─ limit per source ─ nonce ─ line ─ STS ─ admitted?
 *           ─ nonce for all instances ─ caller
 *
 * The design follows aws-iam-authenticator and Vault, and what their CVEs taught: CVE-2020-16250,
 * CVE-2022-2385.
 */
export function createForwardedStsAuthenticator(options: Options): Authenticator {
  const { clock, hosts, window, serverId } = options;
  const confirm = createConfirm(options);

  function begin({ head }: Arriving): Result<Prove, IdentityRefusal> {
    const mechanism = readMechanism(head);
    if (!mechanism.ok) return refuse(fromSigV4(mechanism.refusal));
    const unbound = head.headers.find(([name]) => STEERING.test(name))?.[0];
    if (unbound !== undefined) {
      return refuse(
        notAuthentic(
          'AccessDenied',
          `The header "${unbound}" is bound by nothing here; leave it out.`,
        ),
      );
    }
    const text = mechanism.value.slice(FORWARDED_SCHEME.length + 1);
    const claim = readForwardedToken(text, { hosts, window, now: clock() });
    if (!claim.ok) return refuse(fromSigV4(claim.refusal));
    const claimed = claim.value;
    function prove(request: WireRequest, facts: Facts) {
      return confirm(claimed, toStsRequest(claimed, request, serverId), facts);
    }
    return ok(prove);
  }

  return { begin, claimedKey: claimedKeyOf };
}

/**
 * The part of the proof that needs the network: asks STS who signed, and makes a caller of the
 * answer.
 */
function createConfirm(options: Options) {
  const { clock, hosts, window, admission, askSts, onFault } = options;
  const line = createStsLine(options.limit);

  function nonceClaim({ nonce, signedAt }: ForwardedClaim): ReplayClaim {
    return {
      key: sha256Hex(`${FORWARDED_SCHEME}\n${nonce}`),
      signedAt,
      forgetAt: signedAt + 2 * window,
    };
  }

  /** Asks STS once, and charges a refusal to the account. */
  async function ask(
    request: StsRequest,
    account: Account,
  ): Promise<Result<AwsIdentity, IdentityRefusal>> {
    try {
      const answer = readStsAnswer(await askSts(request), hosts.partition);
      if (answer.ok) return answer;
      if (answer.refusal.kind === 'refused') line.charge(account);
      if (answer.refusal.kind === 'unexpected')
        onFault(new Error(`the answer is unexpected: ${answer.refusal.why}`));
      return refuse(toIdentityRefusal(answer.refusal));
    } catch (error) {
      onFault(error);
      return refuse(NO_ANSWER);
    }
  }

  /**
   * Asks STS who signed, after the checks that may spare the call. The nonce is used up, whatever
   * STS answers.
   */
  async function identify(
    claim: ForwardedClaim,
    request: StsRequest,
    { checkQuota }: Facts,
    account: Account,
  ): Promise<Result<AwsIdentity, IdentityRefusal>> {
    // A caller that has used up its quota costs no call. A stranger who names the caller's access
    // key learns no more than that.
    const known = line.callerOf(claim.accessKeyId);
    const withinQuota = known === undefined ? ok(undefined) : await checkQuota(known);
    if (!withinQuota.ok) return withinQuota;
    const within = line.check(account);
    if (!within.ok) return within;

    const reserved = await options.reserveLocally(nonceClaim(claim), clock());
    if (!reserved.ok) return refuse(toGuardRefusal(reserved.refusal));
    let wasAsked = false;
    const answered = await line.wait(claim.host, account, async () => {
      // Check again after the wait: refusals of the first tokens of a flood stop the rest of it.
      const still = line.check(account);
      if (!still.ok) return still;
      wasAsked = true;
      return ask(request, account);
    });
    // STS was not asked, so the token has not been used.
    if (!wasAsked) await reserved.value.release();
    return answered.ok ? answered.value : answered;
  }

  async function confirm(
    claim: ForwardedClaim,
    request: StsRequest,
    facts: Facts,
  ): Promise<Result<AuthenticCaller, IdentityRefusal>> {
    const { accessKeyId } = claim;
    const account = line.accountOf(accessKeyId, facts.address);
    const identity = await identify(claim, request, facts, account);
    if (!identity.ok) return identity;
    const who = toAwsCaller(identity.value, admission, facts.ring);
    if (!who.ok) {
      line.charge(account);
      return refuse(fromSigV4(who.refusal));
    }
    const keys = { accessKeyId, sourceAccessKeyId: undefined, keyExpiresAt: undefined };
    const caller: Caller = { via: 'sts', ...who.value, ...keys };
    line.confirm(caller, facts.address);
    const reserved = await options.reserveForAll(nonceClaim(claim), clock());
    if (!reserved.ok) return refuse(toGuardRefusal(reserved.refusal));
    const source: KeySource = { via: 'sts', accessKeyId, identity: identity.value };
    // The nonce is used up, so the replay guard has nothing left to remember.
    return ok({ caller, replay: undefined, source });
  }

  return confirm;
}

/**
 * The request that the caller should have signed. Method, path, body and constants are the server's
 * own, so a signature over anything else does not match.
 */
function toStsRequest(claim: ForwardedClaim, request: WireRequest, serverId: string): StsRequest {
  const { signedHeaders, credential, signature, securityToken } = claim;
  const values: Readonly<Record<string, string>> = {
    ...STS_CONSTANT_HEADERS,
    'x-amz-date': claim.amzDate,
    [BINDING_HEADERS.serverId]: serverId,
    [BINDING_HEADERS.nonce]: claim.nonce,
    [BINDING_HEADERS.requestHash]: requestHash(request),
    ...(securityToken === undefined ? {} : { 'x-amz-security-token': securityToken }),
  };
  // STS may require every x-amz- header to be signed, so x-amz-content-sha256 is sent only where it
  // was.
  const sent = Object.entries(values).filter(
    ([name]) => !name.startsWith('x-amz-') || signedHeaders.includes(name),
  );
  const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
  return {
    host: claim.host,
    headers: { ...Object.fromEntries(sent), authorization },
    body: STS_BODY,
  };
}

/**
 * The access key that a token names; the token may be malformed, and nothing else of it is read.
 */
function claimedKeyOf({ headers }: WireHead): string | undefined {
  const [value = ''] = headerValues(headers, 'authorization');
  const text = Buffer.from(value.slice(FORWARDED_SCHEME.length + 1, 8_192), 'base64url').toString(
    'latin1',
  );
  return /"credential"\s*:\s*"([A-Z0-9_]{4,40})\//u.exec(text)?.[1];
}
