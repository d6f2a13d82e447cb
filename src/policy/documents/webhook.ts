import * as v from 'valibot';
import { ok, refuse, type Result } from '../../lib/result.ts';
import { isLoopbackHttp, isWebhookUrl } from '../../lib/webhook-url.ts';
import { readDocument } from '../reading/document.ts';
import type { DocumentProblem } from '../reading/problem.ts';
import { described, mapping, parsed, text } from '../reading/schema.ts';

/** What events are signed with, and where they may be posted. */
export type WebhookDocument = {
  /**
   * One key of 32 random bytes, or two while receivers change from one to the other. Never logged.
   */
  readonly keys: readonly Uint8Array[];
  /**
   * Where events are posted unless SENTINEL_WEBHOOK_URL says so. Its path is often a secret: never
   * logged.
   */
  readonly url: string | undefined;
};

/** All that is ever said about this document: what a message quoted could be a key, or the URL. */
const SENTENCES = {
  keys:
    'must be a list of one key, or of two while receivers change keys: 32 random bytes in base64 each, as ' +
    '"openssl rand -base64 32" prints them',
  url: 'must be an https URL without user and password',
} as const;

const WHOLE = 'must be one YAML or JSON mapping with keys, and no other key than url';

const BYTES = 32;

const key = described(
  parsed((input) => {
    const bytes = Buffer.from(input, 'base64');
    // Decoding passes over what is not base64; encoding anew shows it. A run of one byte was typed,
    // not drawn.
    const isRandom = bytes.toString('base64') === input && new Set(bytes).size > 8;
    return bytes.length === BYTES && isRandom ? ok(new Uint8Array(bytes)) : refuse(SENTENCES.keys);
  }),
  'It must be 32 random bytes in base64, as "openssl rand -base64 32" prints them.',
);

/** The form of the document. */
export const webhook = v.pipe(
  mapping({
    keys: v.pipe(v.array(key), v.minLength(1, SENTENCES.keys), v.maxLength(2, SENTENCES.keys)),
    url: v.exactOptional(
      described(
        v.pipe(text, v.check(isWebhookUrl, SENTENCES.url)),
        `It ${SENTENCES.url}; http to loopback is taken where the AWS endpoint is local.`,
      ),
    ),
  }),
  v.transform(({ keys, url }): WebhookDocument => ({ keys, url })),
);

/**
 * Reads the document `webhook`. Its problems are fixed sentences; nothing of its content is ever in
 * them.
 *
 * @param allowsLoopback whether the URL may be plain http to this machine: only where the AWS
 *   endpoint is local
 */
export function readWebhook(
  source: string,
  allowsLoopback: boolean,
): Result<WebhookDocument, readonly DocumentProblem[]> {
  const read = readDocument(source, webhook);
  if (!read.ok) return refuse(read.refusal.map(withoutContent));
  const { url } = read.value;
  const isForDeskOnly = url !== undefined && isLoopbackHttp(url);
  return isForDeskOnly && !allowsLoopback
    ? refuse([{ line: 1, path: 'url', message: SENTENCES.url }])
    : read;
}

function withoutContent({ line, path }: DocumentProblem): DocumentProblem {
  if (path === 'url') return { line, path, message: SENTENCES.url };
  const isOfKeys = path === 'keys' || path.startsWith('keys[') || path.startsWith('keys.');
  return isOfKeys
    ? { line, path: 'keys', message: SENTENCES.keys }
    : { line, path: '', message: WHOLE };
}
