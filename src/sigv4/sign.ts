import { canonicalRequest, sha256Hex } from './canonical.ts';
import type { Header } from './request.ts';
import { ALGORITHM, formatScope, signature, signingKey, stringToSign } from './signature.ts';

/** Credentials of AWS, or a key that the TVM minted. */
export type SigningCredentials = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Undefined for long-term keys. */
  readonly sessionToken: string | undefined;
};

/** A request to sign. All its headers are signed, so they must arrive unchanged. */
export type SignableRequest = {
  readonly method: string;
  /** Only unreserved characters and `/`: then the canonical URI is the path itself. */
  readonly path: string;
  /** The query, already in canonical form (`canonicalQuery`), without `?`. */
  readonly rawQuery: string;
  /** Names in lower case; `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
};

/** What a request is signed for, and when. */
export type SigningScope = {
  readonly region: string;
  readonly service: string;
  /** `20260102T030405Z`. */
  readonly amzDate: string;
};

/** The parts of a signature, and all headers to send, `authorization` among them. */
export type SignedRequest = {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly headers: Readonly<Record<string, string>>;
};

/**
 * Signs a request with Signature Version 4. Adds `x-amz-date` and, with temporary credentials,
 * `x-amz-security-token`.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function signRequest(
  request: SignableRequest,
  { accessKeyId, secretAccessKey, sessionToken }: SigningCredentials,
  { region, service, amzDate }: SigningScope,
): SignedRequest {
  const headers: Record<string, string> = { ...request.headers, 'x-amz-date': amzDate };
  if (sessionToken !== undefined) headers['x-amz-security-token'] = sessionToken;
  const names = Object.keys(headers).toSorted();
  const entries: readonly Header[] = names.map((name) => [name, headers[name] ?? '']);
  const canonical = canonicalRequest(
    { method: request.method, path: request.path, headers: entries },
    request.rawQuery,
    names,
    sha256Hex(request.body),
  );
  const scope = { date: amzDate.slice(0, 8), region, service };
  const signed = signature(
    signingKey(secretAccessKey, scope),
    stringToSign(amzDate, scope, canonical),
  );
  const credential = `${accessKeyId}/${formatScope(scope)}`;
  const signedHeaders = names.join(';');
  const authorization = `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signed}`;
  return { credential, signedHeaders, signature: signed, headers: { ...headers, authorization } };
}
