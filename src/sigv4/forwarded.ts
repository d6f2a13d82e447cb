import { sha256Hex } from './canonical.ts';

/**
 * Forwarded STS, the protocol that client and server share. A caller signs `sts:GetCallerIdentity`
 * with its own AWS credentials and sends only the parts of that request that vary. The server
 * rebuilds the request from these constants and asks STS who signed it. (HashiCorp Vault forwarded
 * the client's own request: CVE-2020-16250.)
 *
 *     Authorization: Sentinel-STS <base64url of the token's JSON>
 */
export const FORWARDED_SCHEME = 'Sentinel-STS';

/** The token's version. */
export const FORWARDED_VERSION = 1;

/** The longest token, in characters. */
export const FORWARDED_LIMIT = 4_096;

/** The whole body of the signed request. */
export const STS_BODY = 'Action=GetCallerIdentity&Version=2011-06-15';

/**
 * Headers with the same value in every such request. A client may sign them or leave them unsigned.
 */
export const STS_CONSTANT_HEADERS: Readonly<Record<string, string>> = {
  accept: 'application/json',
  'content-length': String(STS_BODY.length),
  'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
  'x-amz-content-sha256': sha256Hex(STS_BODY),
};

/**
 * Headers that bind the signature to one server, one use and one outer request. A client must sign
 * them.
 */
export const BINDING_HEADERS = {
  serverId: 'x-sentinel-server-id',
  nonce: 'x-sentinel-nonce',
  requestHash: 'x-sentinel-request-hash',
} as const;

/** The fields of the token as they stand in its JSON; `v` is 1. */
export type ForwardedToken = {
  readonly v: number;
  /** The region of the STS endpoint signed for. */
  readonly region: string;
  /** X-Amz-Date. */
  readonly amzDate: string;
  /** `<access key id>/<YYYYMMDD>/<region>/sts/aws4_request`. */
  readonly credential: string;
  /** As in an Authorization header: joined by `;`. */
  readonly signedHeaders: string;
  readonly signature: string;
  readonly securityToken?: string;
  /** At least 128 random bits. */
  readonly nonce: string;
};

/** The parts of the outer request that the signature binds. */
export type OuterRequest = {
  readonly method: string;
  /** The path as sent. */
  readonly path: string;
  /** The query as sent, without `?`; empty if there is none. */
  readonly rawQuery: string;
  readonly body: Uint8Array | string;
};

/** The value of the request hash header: it binds the signature to one request to the TVM. */
export function requestHash({ method, path, rawQuery, body }: OuterRequest): string {
  return sha256Hex(['TVM1', method, path, rawQuery, sha256Hex(body)].join('\n'));
}
