import * as v from 'valibot';
import { refuse, type Result } from '../../lib/result.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { crossCheck, flag, instant, mapping, textLike } from '../reading/schema.ts';
import { isWeakSecret, MIN_SECRET_LENGTH } from './weak-secret.ts';

/** A registered key: who signs with it, and until when. */
export type Client = {
  /** What requests are signed with. Never logged, never in a message. */
  readonly secret: string;
  /** What policies call the caller. */
  readonly name: string;
  /** Epoch milliseconds from which the key is refused; undefined for a key without an end. */
  readonly expiresAtMs: number | undefined;
  readonly disabled: boolean;
};

/**
 * All that is ever said about this document: a message made from its content could carry the secret, or what was meant
 * to be one and stands at the wrong place.
 */
const SENTENCES = {
  secret:
    `must be ${MIN_SECRET_LENGTH} to 1024 printable ASCII characters without spaces, drawn at random and not made of ` +
    'words, names, rows or repetitions, like what "openssl rand -base64 30" prints',
  name: 'must be 1 to 64 letters, digits and _+=,.@-',
  expires_at: 'must be an instant in UTC like 2026-01-02T03:04:05Z',
  disabled: 'must be true or false, without quotes',
} as const;

const WHOLE = 'must be one YAML or JSON mapping with secret, name, and no other keys than expires_at and disabled';

function isKnown(key: string): key is keyof typeof SENTENCES {
  return Object.hasOwn(SENTENCES, key);
}

/** A bare name must not look like a role's (`role/…`) or another account's (`A:…`): all callers share one namespace. */
export const client = v.pipe(
  mapping({
    secret: textLike(/^[\u0021-\u007e]{1,1024}$/u, SENTENCES.secret),
    name: textLike(/^[\w+=,.@-]{1,64}$/u, SENTENCES.name),
    expires_at: v.exactOptional(instant(SENTENCES.expires_at)),
    disabled: v.exactOptional(flag),
  }),
  crossCheck(({ secret, name }) => (isWeakSecret(secret, name) ? [{ key: 'secret', message: SENTENCES.secret }] : [])),
  v.description(`The secret ${SENTENCES.secret}.`),
  v.transform(({ secret, name, expires_at: expiresAtMs, disabled = false }): Client => ({
    secret,
    name,
    expiresAtMs,
    disabled,
  })),
);

/**
 * Reads the document of a registered key. Its problems are fixed sentences with a line and the name of a known key, or
 * none; nothing of the document's content is ever in them.
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
