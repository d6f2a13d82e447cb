import { ok, type Result } from '../lib/result.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import { parseAmzDate } from './amz-date.ts';
import { parseCredential, parseSignedHeaders } from './authorization.ts';
import {
  BINDING_HEADERS,
  FORWARDED_LIMIT,
  FORWARDED_SCHEME,
  FORWARDED_VERSION,
  STS_CONSTANT_HEADERS,
  type ForwardedToken,
} from './forwarded.ts';
import { refusal, type SigV4Refusal } from './refusal.ts';
import type { StsHosts } from './sts-hosts.ts';
import { checkWindow } from './verify.ts';

/** A token that is well-formed, in time and in scope. Only STS can verify its signature. */
export type ForwardedClaim = Omit<ForwardedToken, 'v' | 'signedHeaders' | 'securityToken'> & {
  readonly securityToken: string | undefined;
  readonly signedHeaders: readonly string[];
  readonly accessKeyId: string;
  /** The STS endpoint that the token was signed for, from the table. */
  readonly host: string;
  /** X-Amz-Date in epoch milliseconds. */
  readonly signedAt: number;
};

/**
 * What a token is checked against: `now` in epoch milliseconds, `window` (± around it) in
 * milliseconds.
 */
export type ForwardedExpectation = {
  readonly hosts: StsHosts;
  readonly now: number;
  readonly window: number;
};

function invalid(message: string) {
  return refusal('ValidationError', `The ${FORWARDED_SCHEME} token ${message}`);
}

type Fields = Readonly<
  Record<'region' | 'amzDate' | 'credential' | 'signedHeaders' | 'signature' | 'nonce', string>
> & {
  readonly securityToken?: string;
};

/**
 * The form of each field. Fields become parts of headers and host names, so none may hold a
 * character that would end one.
 */
const FORMS: Readonly<Record<keyof Fields, RegExp>> = {
  region: /^[a-z0-9-]{1,32}$/u,
  amzDate: /^\d{8}T\d{6}Z$/u,
  credential: /^[\w/-]{1,256}$/u,
  signedHeaders: /^[!-~]{1,512}$/u,
  signature: /^[0-9a-f]{64}$/u,
  nonce: /^[\w+/=.~-]{22,128}$/u,
  securityToken: /^[!-~]{1,4096}$/u,
};

/** What a refusal adds about the form of a field. */
const HINTS: Readonly<Partial<Record<keyof Fields, string>>> = {
  nonce: ': 22 to 128 letters, digits and "+/=._~-", at least 128 random bits',
  signature: ': 64 lower-case hexadecimal digits',
  amzDate: ': like 20260102T030405Z',
};

/**
 * Reads a token and makes every check that needs no network: size, canonical base64url, JSON with
 * exactly the known fields, a known region, window, scope, signed headers. Refusals name what is
 * wrong, but never repeat the content.
 */
export function readForwardedToken(
  text: string,
  expected: ForwardedExpectation,
): Result<ForwardedClaim, SigV4Refusal> {
  const fields = readFields(text);
  if (!fields.ok) return fields;
  const { amzDate, signedHeaders, securityToken } = fields.value;
  const place = readPlace(fields.value, expected.hosts);
  if (!place.ok) return place;
  const { host, accessKeyId, date } = place.value;
  const signedAt = parseAmzDate(amzDate);
  if (signedAt === undefined)
    return refusal('IncompleteSignature', 'The amzDate of the token is no date.');
  const timely = checkWindow(amzDate, signedAt, expected);
  if (!timely.ok) return timely;
  if (date !== amzDate.slice(0, 8)) {
    return refusal(
      'SignatureDoesNotMatch',
      'The date in the credential scope is not the day of amzDate.',
    );
  }
  const headers = checkSignedHeaders(signedHeaders, securityToken !== undefined);
  if (!headers.ok) return headers;
  return ok({
    ...fields.value,
    securityToken,
    signedHeaders: headers.value,
    accessKeyId,
    host,
    signedAt,
  });
}

/**
 * The endpoint of a token's region, and its credential, which must be scoped to that region's STS.
 */
function readPlace(
  { region, credential }: Fields,
  hosts: StsHosts,
): Result<Pick<ForwardedClaim, 'host' | 'accessKeyId'> & { readonly date: string }, SigV4Refusal> {
  const host = hosts.byRegion.get(region);
  if (host === undefined) {
    return invalid(
      `names the region "${region}", which callers of this server cannot sign for; use a regional STS.`,
    );
  }
  const parsed = parseCredential(credential);
  if (!parsed.ok) return parsed;
  const { accessKeyId, scope, terminator } = parsed.value;
  if (scope.region !== region || scope.service !== 'sts' || terminator !== 'aws4_request') {
    return invalid(`must be signed in the scope <YYYYMMDD>/${region}/sts/aws4_request.`);
  }
  return ok({ host, accessKeyId, date: scope.date });
}

function readFields(text: string): Result<Fields, SigV4Refusal> {
  if (text.length > FORWARDED_LIMIT)
    return invalid(`is longer than ${FORWARDED_LIMIT} characters.`);
  const bytes = Buffer.from(text, 'base64url');
  // Decoding ignores padding, other characters and trailing bits; encoding again shows them.
  if (text === '' || bytes.toString('base64url') !== text)
    return invalid('must be base64url without padding.');
  const json = parseStrictJson(bytes);
  if (!json.ok) {
    return invalid(
      json.refusal === 'not-json' ? 'must hold JSON in UTF-8.' : 'holds a field more than once.',
    );
  }
  if (typeof json.value !== 'object' || json.value === null || Array.isArray(json.value)) {
    return invalid('must hold one JSON object.');
  }
  const { v, ...rest } = json.value as Readonly<Record<string, unknown>>;
  if (v !== FORWARDED_VERSION) return invalid(`must have "v": ${FORWARDED_VERSION}.`);
  return checkFields(rest);
}

function isField(name: string): name is keyof Fields {
  return Object.hasOwn(FORMS, name);
}

function checkFields(given: Readonly<Record<string, unknown>>): Result<Fields, SigV4Refusal> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (!isField(name))
      return invalid(`holds a field that is not known; there are v, ${NAMES.join(', ')}.`);
    if (typeof value !== 'string' || !FORMS[name].test(value)) {
      return invalid(`has a field "${name}" that is out of form${HINTS[name] ?? ''}.`);
    }
    fields[name] = value;
  }
  const missing = NAMES.find((name) => name !== 'securityToken' && fields[name] === undefined);
  if (missing !== undefined) return invalid(`lacks the field "${missing}".`);
  return ok(fields as Fields);
}

const NAMES = Object.keys(FORMS) as readonly (keyof Fields)[];

const BINDINGS: readonly string[] = Object.values(BINDING_HEADERS);

function checkSignedHeaders(
  text: string,
  withToken: boolean,
): Result<readonly string[], SigV4Refusal> {
  const given = text.split(';');
  const unbound = BINDINGS.find((name) => given.filter((other) => other === name).length !== 1);
  if (unbound !== undefined) {
    return refusal(
      'AccessDenied',
      `The header "${unbound}" must be signed, once: it binds the token to this server.`,
    );
  }
  const parsed = parseSignedHeaders(text);
  if (!parsed.ok) return parsed;
  const required = [
    'host',
    'x-amz-date',
    ...BINDINGS,
    ...(withToken ? ['x-amz-security-token'] : []),
  ];
  const absent = required.find((name) => !parsed.value.includes(name));
  if (absent !== undefined)
    return refusal('IncompleteSignature', `The header "${absent}" must be signed.`);
  const other = parsed.value.find(
    (name) => !required.includes(name) && !Object.hasOwn(STS_CONSTANT_HEADERS, name),
  );
  if (other !== undefined) {
    return refusal(
      'IncompleteSignature',
      `The signed header "${other}" is none that this server sends to STS.`,
    );
  }
  return parsed;
}
