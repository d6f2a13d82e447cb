import { randomBytes } from 'node:crypto';
import { sha256, sign } from './sign.ts';

/**
 * A client of forwarded STS for tests. It is written from the protocol's description and shares
 * nothing with `src/`: a test can change every part of what is signed and every field of the token.
 */
export const SERVER_ID = 'tvm.test.example';

/** dana, an IAM user of the embedded AWS. */
const DANA_ID = 'AKIADEMODANA0000';
export const DANA_SECRET = 'demo-dana-not-a-secret';

export const GET_CALLER_IDENTITY = 'Action=GetCallerIdentity&Version=2011-06-15';

/** Headers whose values never vary; a client may sign them or leave them unsigned. */
export const CONSTANTS = {
  accept: 'application/json',
  'content-length': '43',
  'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
  'x-amz-content-sha256': 'ab821ae955788b0e33ebd34c208442ccfc2d406e2edc5e7a39bd6458fbb4f843',
} as const;

/** The fields of a token, as its JSON has them. */
export type TokenFields = {
  readonly v: number;
  readonly region: string;
  readonly amzDate: string;
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly securityToken?: string;
  readonly nonce: string;
};

/** The request to the TVM to which the signature is bound. */
export type Outer = {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly body?: string;
};

/** What is signed. Each part may be wrong. */
export type Forwarding = Outer & {
  readonly serverId?: string;
  readonly nonce?: string;
  /** Replaces the binding hash of the outer request. */
  readonly requestHash?: string;
  readonly region?: string;
  /** The region in the scope; by default that of the token. */
  readonly scopeRegion?: string;
  readonly service?: string;
  readonly terminator?: string;
  readonly scopeDate?: string;
  readonly amzDate?: string;
  readonly accessKeyId?: string;
  readonly secret?: string;
  readonly securityToken?: string;
  readonly stsHost?: string;
  readonly stsMethod?: string;
  readonly stsPath?: string;
  readonly stsBody?: string;
  /** Further headers to sign; by default the constants. */
  readonly extra?: Readonly<Record<string, string>>;
  /** Replaces SignedHeaders; the signature covers these, too. */
  readonly signedHeaders?: string;
};

function randomNonce(): string {
  return randomBytes(16).toString('hex');
}

/** The value of x-sentinel-request-hash for an outer request. */
export function bindingOf({ method = 'GET', path = '/', query = '', body = '' }: Outer): string {
  return sha256(`TVM1\n${method}\n${path}\n${query}\n${sha256(body)}`);
}

/** Signs GetCallerIdentity, by default as dana, and gives the fields of the token. */
export function forwardedFields(what: Forwarding = {}): TokenFields {
  const { region = 'us-east-1', nonce = randomNonce(), securityToken } = what;
  const signed = sign({
    host: what.stsHost ?? `sts.${region}.amazonaws.com`,
    method: what.stsMethod ?? 'POST',
    path: what.stsPath ?? '/',
    body: what.stsBody ?? GET_CALLER_IDENTITY,
    accessKeyId: what.accessKeyId ?? DANA_ID,
    secret: what.secret ?? DANA_SECRET,
    region: what.scopeRegion ?? region,
    service: what.service ?? 'sts',
    terminator: what.terminator ?? 'aws4_request',
    ...(what.amzDate === undefined ? {} : { amzDate: what.amzDate }),
    ...(what.scopeDate === undefined ? {} : { scopeDate: what.scopeDate }),
    ...(what.signedHeaders === undefined ? {} : { signedHeaders: what.signedHeaders }),
    headers: {
      ...(what.extra ?? CONSTANTS),
      'x-sentinel-server-id': what.serverId ?? SERVER_ID,
      'x-sentinel-nonce': nonce,
      'x-sentinel-request-hash': what.requestHash ?? bindingOf(what),
      ...(securityToken === undefined ? {} : { 'x-amz-security-token': securityToken }),
    },
  });
  const { amzDate, credential, signedHeaders, signature } = signed;
  const token = securityToken === undefined ? {} : { securityToken };
  return { v: 1, region, amzDate, credential, signedHeaders, signature, ...token, nonce };
}

/** The token of a JSON value, or of a JSON text as it is. */
export function encodeToken(json: unknown): string {
  return Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)).toString('base64url');
}

type Target = { readonly host: string };

/** A request to the TVM with this token, or any other text in its place. */
export function withToken(tvm: Target, token: string, outer: Outer = {}) {
  const { method = 'GET', path = '/', query = '', body } = outer;
  const type = body === undefined ? [] : [['content-type', 'application/json'] as const];
  return {
    method,
    target: query === '' ? path : `${path}?${query}`,
    headers: [
      ['host', tvm.host] as const,
      ['authorization', `Sentinel-STS ${token}`] as const,
      ...type,
    ],
    ...(body === undefined ? {} : { body }),
  };
}

/** `GET /whoami`, which decides nothing but who is calling. */
export const WHOAMI: Outer = { path: '/whoami' };

/** `GET /?profile=dev`, which dana may vend. */
export const DEV: Outer = { query: 'profile=dev' };

/**
 * A request with forwarded STS: `GET /whoami` as dana, which is good if nothing is changed.
 *
 * @param alter changes the token's fields after signing; may give any JSON value, or a JSON text
 */
export function forwarded(
  tvm: Target,
  what: Forwarding = {},
  alter: (fields: TokenFields) => unknown = (fields) => fields,
) {
  const whole = what.path === undefined && what.query === undefined ? { ...WHOAMI, ...what } : what;
  return withToken(tvm, encodeToken(alter(forwardedFields(whole))), whole);
}
