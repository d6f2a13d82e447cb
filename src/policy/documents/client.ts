import * as v from 'valibot';
import { refuse, type Result } from '../../lib/result.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { flag, instant, mapping, textLike } from '../reading/schema.ts';
import { crossCheck } from '../reading/cross-check.ts';
import { isWeakSecret, MIN_SECRET_LENGTH } from './weak-secret.ts';

/** A registered key: its secret, the caller who signs with it, and its end. */
export type Client = {
  /** The secret that requests are signed with. Never logged, never in a message. */
  readonly secret: string;
  /** The name of the caller in policies. */
  readonly name: string;
  /** Epoch milliseconds from which the key is refused; undefined for a key without an end. */
  readonly expiresAtMs: number | undefined;
  readonly disabled: boolean;
};

/**
 * The only messages about this document. A message made from its content could carry the secret,
 * which may also be written at the wrong place.
 */
const SENTENCES = {
  secret:
    `must be ${MIN_SECRET_LENGTH} to 1024 printable ASCII characters without spaces, generated at random and not made ` +
    'of words, names, keyboard rows or repetitions; "openssl rand -base64 30" prints a good one',
  name: 'must be 1 to 64 letters, digits and _+=,.@-',
  expires_at: 'must be an instant in UTC like 2026-01-02T03:04:05Z',
  disabled: 'must be true or false, without quotes',
} as const;

const WHOLE =
  'must be one YAML or JSON mapping with the keys secret and name, if needed expires_at and disabled, and no others';

function isKnown(key: string): key is keyof typeof SENTENCES {
  return Object.hasOwn(SENTENCES, key);
}

/**
 * The form of the document. A name must not look like a role's (`role/…`) or like that of another
 * account's caller (`A:…`): all callers share one namespace.
 */
export const client = v.pipe(
  mapping({
    secret: textLike(/^[\u0021-\u007e]{1,1024}$/u, SENTENCES.secret),
    name: textLike(/^[\w+=,.@-]{1,64}$/u, SENTENCES.name),
    expires_at: v.exactOptional(instant(SENTENCES.expires_at)),
    disabled: v.exactOptional(flag),
  }),
  crossCheck(({ secret, name }) =>
    isWeakSecret(secret, name) ? [{ key: 'secret', message: SENTENCES.secret }] : [],
  ),
  v.description(`The secret ${SENTENCES.secret}.`),
  v.transform(({ secret, name, expires_at: expiresAtMs, disabled = false }): Client => ({
    secret,
    name,
    expiresAtMs,
    disabled,
  })),
);

/**
 * Reads the document of a registered key. Its problems are fixed sentences, with a line and the
 * name of a known key or of none. They never contain any content of the document.
 */
export function readClientDocument(source: string): Result<Client, readonly DocumentProblem[]> {
  const read = readDocument(source, client);
  if (read.ok) return read;
  return refuse(
    read.refusal.map(({ line, path }) =>
      isKnown(path) ? { line, path, message: SENTENCES[path] } : { line, path: '', message: WHOLE },
    ),
  );
}
