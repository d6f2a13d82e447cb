import * as v from 'valibot';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { described, instant, mapping, parsed } from '../reading/schema.ts';

/** A key that seals minted keys. */
export type SealingKeyDocument = {
  /** 32 random bytes. Never logged, never in a message. */
  readonly key: Uint8Array;
  /**
   * Epoch milliseconds from which keys are minted with it; 0, always, if the document has no
   * `active_from`.
   */
  readonly activeFrom: number;
};

/** The only messages about this document: one that quotes its content could reveal the key. */
const SENTENCES = {
  key: 'must be 32 random bytes in base64, as "openssl rand -base64 32" prints them',
  active_from: 'must be an instant in UTC like 2026-01-02T03:04:05Z',
} as const;

const WHOLE =
  'must be one YAML or JSON mapping with the key "key", if needed "active_from", and no others';

function isKnown(key: string): key is keyof typeof SENTENCES {
  return Object.hasOwn(SENTENCES, key);
}

const BYTES = 32;

const key = described(
  parsed((input) => {
    const bytes = Buffer.from(input, 'base64');
    // Decoding skips characters that are not base64, so the bytes must encode to the same text. Few
    // distinct bytes were typed, not generated.
    const isRandom = bytes.toString('base64') === input && new Set(bytes).size > 8;
    return bytes.length === BYTES && isRandom ? ok(new Uint8Array(bytes)) : refuse(SENTENCES.key);
  }),
  `It ${SENTENCES.key}.`,
);

/** The form of the document. */
export const sealingKey = v.pipe(
  mapping({ key, active_from: v.exactOptional(instant(SENTENCES.active_from)) }),
  v.transform(({ key, active_from: activeFrom = 0 }): SealingKeyDocument => ({ key, activeFrom })),
);

/**
 * Reads the document of a sealing key. Its problems are fixed sentences, which never contain
 * content of the document.
 */
export function readSealingKey(
  source: string,
): Result<SealingKeyDocument, readonly DocumentProblem[]> {
  const read = readDocument(source, sealingKey);
  if (read.ok) return read;
  return refuse(
    read.refusal.map(({ line, path }) =>
      isKnown(path) ? { line, path, message: SENTENCES[path] } : { line, path: '', message: WHOLE },
    ),
  );
}
