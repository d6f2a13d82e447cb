import type { IncomingMessage } from 'node:http';
import type { AuditLog } from '../audit/log.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { authenticateKey, type AuthenticCaller } from '../identity/registered-key.ts';
import type { Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigV4Error, SigV4Refusal } from '../sigv4/refusal.ts';
import { headerValues, type WireHead, type WireRequest } from '../sigv4/request.ts';
import { readClaim } from '../sigv4/verify.ts';
import { readBody } from './body.ts';
import { clientAddress } from './client-address.ts';
import type { Refusal } from './refusals.ts';

/** A request on the wire, before anything is known of who sent it. */
export type Arrival = { readonly head: WireHead; readonly incoming: IncomingMessage; readonly requestId: string };

/** A request whose sender is known, with the one snapshot that everything about it is decided by. */
export type AuthenticRequest = AuthenticCaller & {
  readonly request: WireRequest;
  readonly snapshot: Snapshot;
  readonly address?: string;
};

export type Authenticate = (arrival: Arrival) => Promise<Result<AuthenticRequest, Refusal>>;

type Options = {
  readonly clock: Clock;
  readonly region: string;
  /** ± milliseconds around now in which a signature is good. */
  readonly window: number;
  readonly trustedHops: number;
  /** Values of Host that are served; undefined for any. */
  readonly hosts: readonly string[] | undefined;
  /** Accounts whose principals are callers at all; undefined for the TVM's own. */
  readonly allowedAccounts: readonly string[] | undefined;
  readonly currentSnapshot: () => Promise<Snapshot | undefined>;
  readonly audit: AuditLog;
};

/** API Gateway's service name, which clients sign for: https://docs.aws.amazon.com/general/latest/gr/apigateway.html */
const SERVICE = 'execute-api';

const AUTHORIZATION_LIMIT = 16 * 1024;

const notAuthentic = (error: SigV4Error, message: string) =>
  refuse<Refusal>({ kind: 'not-authentic', refusal: { error, message } });

const asRefusal = (refusal: SigV4Refusal): Refusal => ({ kind: 'not-authentic', refusal });

/**
 * Finds out who sent a request: every check that costs nothing first, then the body, then the key. A refusal of identity
 * is written to the audit log before it is answered.
 */
export const createAuthenticate = (options: Options): Authenticate => {
  const { clock, region, window, audit } = options;

  const authenticate = async ({
    head,
    incoming,
  }: Arrival): Promise<Result<Omit<AuthenticRequest, 'address'>, Refusal>> => {
    const served = checkHead(head, options.hosts);
    if (!served.ok) return served;
    const claim = readClaim(head, { region, service: SERVICE, now: clock(), window });
    if (!claim.ok) return refuse(asRefusal(claim.refusal));
    const body = await readBody(incoming);
    if (!body.ok) return body;
    const snapshot = await options.currentSnapshot();
    if (snapshot === undefined) return refuse({ kind: 'unavailable', what: 'the catalog of policies and keys' });
    const request = { ...head, body: body.value };
    const ring = { account: snapshot.account, findKey: (id: string) => snapshot.clients.get(id) };
    const known = authenticateKey(claim.value, request, ring, clock(), window);
    if (!known.ok) return refuse(asRefusal(known.refusal));
    const { account } = known.value.caller;
    if (!(options.allowedAccounts ?? [snapshot.account]).includes(account)) {
      return notAuthentic('AccessDenied', `Callers of account ${account} are not admitted here.`);
    }
    return ok({ ...known.value, request, snapshot });
  };

  return async (arrival) => {
    const { head, incoming, requestId } = arrival;
    const address = clientAddress(head.headers, incoming.socket.remoteAddress, options.trustedHops);
    const result = await authenticate(arrival);
    if (result.ok) return ok({ ...result.value, ...(address === undefined ? {} : { address }) });
    if (result.refusal.kind === 'not-authentic') {
      const { error, message } = result.refusal.refusal;
      const claimed = /\bCredential=(\w{1,128})\//u.exec(headerValues(head.headers, 'authorization')[0] ?? '')?.[1];
      await audit.append({
        event: 'identity_refused',
        http_request_id: requestId,
        ...(address === undefined ? {} : { source_ip: address }),
        effect: 'deny',
        error,
        reason: message,
        method: head.method,
        path: head.path,
        ...(claimed === undefined ? {} : { claimed_access_key_id: claimed }),
      });
    }
    return result;
  };
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
