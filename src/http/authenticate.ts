import type { IncomingMessage } from 'node:http';
import type { AuditLog } from '../audit/log.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { AuthenticCaller, Authenticator } from '../identity/authenticator.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { headerValues, type WireHead, type WireRequest } from '../sigv4/request.ts';
import { readBody } from './body.ts';
import type { Refusal } from './refusals.ts';

/** A request on the wire, before anything is known of who sent it. */
export type Arrival = {
  readonly head: WireHead;
  readonly incoming: IncomingMessage;
  readonly requestId: string;
  /** What the Lambda Web Adapter says of the request; undefined unless the server stands behind a front that verified it. */
  readonly lambdaContext?: string;
};

/** A request whose sender is known, with the one snapshot that everything about it is decided by. */
export type AuthenticRequest = AuthenticCaller & {
  readonly request: WireRequest;
  readonly snapshot: Snapshot;
  readonly address?: string;
};

export type Authenticate = (arrival: Arrival) => Promise<Result<AuthenticRequest, Refusal>>;

type Options = {
  /** Tells which of the authenticators, fixed at start, a request is for. */
  readonly authenticatorFor: (head: WireHead) => Authenticator;
  readonly addressOf: (arrival: Arrival) => string | undefined;
  /** Values of Host that are served; undefined for any. */
  readonly hosts: readonly string[] | undefined;
  readonly currentSnapshot: () => Promise<Snapshot | undefined>;
  readonly audit: AuditLog;
};

const AUTHORIZATION_LIMIT = 16 * 1024;

/**
 * Finds out who sent a request: every check that costs nothing first, then the body, then the proof. A refusal of
 * identity is written to the audit log before it is answered.
 */
export const createAuthenticate = (options: Options): Authenticate => {
  const { authenticatorFor, addressOf, currentSnapshot, audit } = options;

  const authenticate = async (
    { incoming, ...arriving }: Arrival,
    authenticator: Authenticator,
    address: string | undefined,
  ): Promise<Result<Omit<AuthenticRequest, 'address'>, Refusal>> => {
    const served = checkHead(arriving.head, options.hosts);
    if (!served.ok) return served;
    const proof = authenticator.begin(arriving);
    if (!proof.ok) return proof;
    const body = await readBody(incoming);
    if (!body.ok) return body;
    const snapshot = await currentSnapshot();
    if (snapshot === undefined) return refuse({ kind: 'unavailable', what: 'the catalog of policies and keys' });
    const request = { ...arriving.head, body: body.value };
    const { account, clients, sealingKeys } = snapshot;
    const ring = { account, findKey: (id: string) => clients.get(id), sealingKeys };
    const known = await proof.value(request, { ring, address });
    return known.ok ? ok({ ...known.value, request, snapshot }) : known;
  };

  return async (arrival) => {
    const { head, requestId } = arrival;
    const address = addressOf(arrival);
    const authenticator = authenticatorFor(head);
    const result = await authenticate(arrival, authenticator, address);
    const from = address === undefined ? {} : { address };
    if (result.ok) return ok({ ...result.value, ...from });
    const why = describeRefusal(result.refusal);
    if (why !== undefined) {
      const claimed = authenticator.claimedKey(head);
      await audit.append({
        event: 'identity_refused',
        http_request_id: requestId,
        ...(address === undefined ? {} : { source_ip: address }),
        effect: 'deny',
        ...why,
        method: head.method,
        path: head.path,
        ...(claimed === undefined ? {} : { claimed_access_key_id: claimed }),
      });
    }
    return result;
  };
};

/** What the audit record says of a refusal of identity; undefined for refusals of other things, outages among them. */
const describeRefusal = (refusal: Refusal) => {
  if (refusal.kind === 'not-authentic') {
    const { error, message } = refusal.refusal;
    const { upstreamCode } = refusal;
    return { error, reason: message, ...(upstreamCode === undefined ? {} : { upstream_code: upstreamCode }) };
  }
  if (refusal.kind === 'replayed') return { error: 'RequestReplayed', reason: 'The nonce was used before.' };
  return refusal.kind === 'rate-limited' ? { error: 'RateLimited', reason: refusal.what } : undefined;
};

const withoutPort = (host: string): string => host.replace(/:\d+$/u, '');

const checkHead = ({ headers }: WireHead, hosts: readonly string[] | undefined): Result<undefined, Refusal> => {
  const [host = ''] = headerValues(headers, 'host').map((value) => value.toLowerCase());
  const isServed = (listed: string): boolean =>
    listed.toLowerCase() === host || listed.toLowerCase() === withoutPort(host);
  if (hosts !== undefined && !hosts.some(isServed)) {
    return refuse({ kind: 'invalid', message: `The host "${host}" is not one that this server answers for.` });
  }
  if (headerValues(headers, 'authorization').some((value) => value.length > AUTHORIZATION_LIMIT)) {
    return refuse({
      kind: 'headers-too-large',
      message: `The Authorization header is longer than ${AUTHORIZATION_LIMIT} bytes.`,
    });
  }
  return ok(undefined);
};
