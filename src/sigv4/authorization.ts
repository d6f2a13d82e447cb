import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigV4Refusal } from './refusal.ts';
import { ALGORITHM, type CredentialScope } from './signature.ts';

/** The parts of an `Authorization: AWS4-HMAC-SHA256 …` header. */
export type Authorization = {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  readonly terminator: string;
  /** In lower case, sorted by bytes, each once. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
};

/** Signed headers of one request: far more than any signer sends, and cheap to look through. */
const MAX_SIGNED_HEADERS = 64;
const COMPONENTS = ['Credential', 'SignedHeaders', 'Signature'] as const;
const ACCESS_KEY_ID = /^\w{1,128}$/u;
const SCOPE_PART = /^[\w-]{1,64}$/u;
const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]+$/u;

function incomplete(message: string) {
  return refuse<SigV4Refusal>({ error: 'IncompleteSignature', message });
}

/**
 * Parses the header's value. Refuses with `IncompleteSignature`: another algorithm; a component
 * that is missing, repeated or unknown; a credential without exactly five parts; signed headers
 * that are not in lower case, sorted and distinct; a signature that is not 64 lower-case
 * hexadecimal digits.
 */
export function parseAuthorization(value: string): Result<Authorization, SigV4Refusal> {
  const space = value.indexOf(' ');
  if (space === -1 || value.slice(0, space) !== ALGORITHM) {
    return incomplete(`The Authorization header must begin with "${ALGORITHM} ".`);
  }
  const components = parseComponents(value.slice(space + 1));
  if (!components.ok) return components;
  const { Credential, SignedHeaders, Signature } = components.value;
  const credential = parseCredential(Credential);
  if (!credential.ok) return credential;
  const signedHeaders = parseSignedHeaders(SignedHeaders);
  if (!signedHeaders.ok) return signedHeaders;
  if (!/^[0-9a-f]{64}$/u.test(Signature)) {
    return incomplete('The Signature must be 64 lower-case hexadecimal digits.');
  }
  return ok({ ...credential.value, signedHeaders: signedHeaders.value, signature: Signature });
}

type Components = Record<(typeof COMPONENTS)[number], string>;

function parseComponents(text: string): Result<Components, SigV4Refusal> {
  const found = new Map<string, string>();
  const parts = text.split(',', COMPONENTS.length + 2);
  for (const part of parts) {
    const trimmed = part.trim();
    const equals = trimmed.indexOf('=');
    const name = trimmed.slice(0, Math.max(equals, 0));
    if (!COMPONENTS.some((known) => known === name) || found.has(name)) {
      return incomplete(
        'The Authorization header must hold Credential, SignedHeaders and Signature, each exactly once.',
      );
    }
    found.set(name, trimmed.slice(equals + 1));
  }
  const [Credential, SignedHeaders, Signature] = COMPONENTS.map((name) => found.get(name));
  if (Credential === undefined || SignedHeaders === undefined || Signature === undefined) {
    const missing = COMPONENTS.filter((name) => !found.has(name)).join(', ');
    return incomplete(`The Authorization header requires the component(s) ${missing}.`);
  }
  return ok({ Credential, SignedHeaders, Signature });
}

/**
 * Parses `<access key id>/<YYYYMMDD>/<region>/<service>/aws4_request`; refuses with
 * `IncompleteSignature`.
 */
export function parseCredential(
  text: string,
): Result<Pick<Authorization, 'accessKeyId' | 'scope' | 'terminator'>, SigV4Refusal> {
  const parts = text.split('/', 7);
  const [accessKeyId = '', date = '', region = '', service = '', terminator = ''] = parts;
  if (parts.length !== 5 || !ACCESS_KEY_ID.test(accessKeyId) || !/^\d{8}$/u.test(date)) {
    return incomplete(
      'The Credential must be <access key id>/<YYYYMMDD>/<region>/<service>/aws4_request.',
    );
  }
  if (![region, service, terminator].every((part) => SCOPE_PART.test(part))) {
    return incomplete(
      'The region and service in the Credential must be letters, digits, "-" and "_".',
    );
  }
  return ok({ accessKeyId, scope: { date, region, service }, terminator });
}

/** Parses `a;b;c`: lower case, sorted, distinct, at most 64; refuses with `IncompleteSignature`. */
export function parseSignedHeaders(text: string): Result<readonly string[], SigV4Refusal> {
  const names = text.split(';', MAX_SIGNED_HEADERS + 1);
  if (names.length > MAX_SIGNED_HEADERS)
    return incomplete(`At most ${MAX_SIGNED_HEADERS} headers can be signed.`);
  let previous = '';
  for (const name of names) {
    if (!TOKEN.test(name) || name <= previous) {
      return incomplete(
        'SignedHeaders must be header names in lower case, sorted, distinct and separated by ";".',
      );
    }
    previous = name;
  }
  return ok(names);
}
