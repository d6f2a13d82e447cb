import { randomBytes } from 'node:crypto';
import { formatAmzDate } from '../sigv4/amz-date.ts';
import {
  BINDING_HEADERS,
  FORWARDED_LIMIT,
  FORWARDED_SCHEME,
  FORWARDED_VERSION,
  requestHash,
  STS_BODY,
  STS_CONSTANT_HEADERS,
  type ForwardedToken,
  type OuterRequest,
} from '../sigv4/forwarded.ts';
import { signRequest, type SigningCredentials } from '../sigv4/sign.ts';
import { stsHost } from '../sigv4/sts-hosts.ts';
import { ok, refuse, type Result } from '../lib/result.ts';

/** A value that is used once: 128 random bits. */
export function newNonce(): string {
  return randomBytes(16).toString('hex');
}

/**
 * Which server a signature is bound to, and for which STS and when it is made; `now` in epoch
 * milliseconds.
 */
type Binding = { readonly serverId: string; readonly region: string; readonly now: number };

/** Signs GetCallerIdentity for the regional STS, bound to this server, this request and a nonce. */
function signGetCallerIdentity(
  outer: OuterRequest,
  credentials: SigningCredentials,
  { serverId, region, now }: Binding,
): ForwardedToken {
  const amzDate = formatAmzDate(now);
  const nonce = newNonce();
  const { accept, 'content-type': contentType } = STS_CONSTANT_HEADERS;
  const headers = {
    host: stsHost(region),
    accept: accept ?? '',
    'content-type': contentType ?? '',
    [BINDING_HEADERS.serverId]: serverId,
    [BINDING_HEADERS.nonce]: nonce,
    [BINDING_HEADERS.requestHash]: requestHash(outer),
  };
  const { credential, signedHeaders, signature } = signRequest(
    { method: 'POST', path: '/', rawQuery: '', headers, body: STS_BODY },
    credentials,
    { region, service: 'sts', amzDate },
  );
  const { sessionToken } = credentials;
  return {
    v: FORWARDED_VERSION,
    region,
    amzDate,
    credential,
    signedHeaders,
    signature,
    ...(sessionToken === undefined ? {} : { securityToken: sessionToken }),
    nonce,
  };
}

/**
 * Makes the Authorization header that proves to a TVM who the caller is. Nothing is sent to STS
 * from here. Refuses with a sentence where the session token is too long for the header.
 */
export function forwardedAuthorization(
  outer: OuterRequest,
  credentials: SigningCredentials,
  binding: Binding,
): Result<string, string> {
  const token = signGetCallerIdentity(outer, credentials, binding);
  const encoded = Buffer.from(JSON.stringify(token)).toString('base64url');
  return encoded.length > FORWARDED_LIMIT
    ? refuse(
        `The session token of your AWS credentials is too long to be forwarded (${encoded.length} characters).`,
      )
    : ok(`${FORWARDED_SCHEME} ${encoded}`);
}
