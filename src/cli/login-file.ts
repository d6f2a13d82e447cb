import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { ok, refuse, type Result } from '../lib/result.ts';

const Login = v.object({
  url: v.string(),
  serverId: v.string(),
  region: v.string(),
  /** Whose AWS credentials signed, as far as the environment tells. */
  source: v.string(),
  sourceProfile: v.optional(v.string()),
});

const Key = v.object({
  ...Login.entries,
  accessKeyId: v.string(),
  secretAccessKey: v.string(),
  sessionToken: v.string(),
  /** Epoch milliseconds. */
  expiresAt: v.number(),
});

const Content = v.object({ version: v.literal(1), last: v.optional(Login), keys: v.array(Key) });

/** At which TVM, and as whom, a login was made. */
export type Login = v.InferOutput<typeof Login>;

/** A key of a TVM, with the login that it came from. */
export type StoredKey = v.InferOutput<typeof Key>;

/** All that is kept between two runs. */
type Content = v.InferOutput<typeof Content>;

/** What was read of the file. */
type ReadFile = {
  readonly content: Content;
  /** Whether the file was there, but held something else. */
  readonly isDamaged: boolean;
};

const EMPTY: Content = { version: 1, keys: [] };
const ABSENT: ReadFile = { content: EMPTY, isDamaged: false };
const DAMAGED: ReadFile = { content: EMPTY, isDamaged: true };

/** The bits of a file's mode by which others than its owner could use it. */
const OTHERS = 0o077;

/**
 * Reads the file of logins. One that is absent or is not JSON counts as empty: a login writes it
 * anew. One that others can read or that somebody else owns is refused with a sentence, for what is
 * in it is no secret any more.
 */
export function readLoginFile(path: string): Result<ReadFile, string> {
  let text: string;
  try {
    const { mode, uid } = statSync(path);
    const isOthers =
      process.platform !== 'win32' && ((mode & OTHERS) !== 0 || uid !== process.getuid?.());
    if (isOthers)
      return refuse(
        `${path} can be read by others; remove it, log in again, and consider its keys known.`,
      );
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? ok(ABSENT)
      : refuse(`${path} cannot be read (${code ?? 'unknown'}).`);
  }
  try {
    const parsed = v.safeParse(Content, JSON.parse(text));
    return ok(parsed.success ? { content: parsed.output, isDamaged: false } : DAMAGED);
  } catch {
    return ok(DAMAGED);
  }
}

/**
 * Writes the file whole, readable by its owner only, in the place of the old one; refuses with a
 * sentence.
 */
export function writeLoginFile(path: string, content: Content): Result<undefined, string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    chmodSync(draft, 0o600);
    renameSync(draft, path);
    return ok(undefined);
  } catch (cause) {
    rmSync(draft, { force: true });
    return refuse(
      `${path} cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`,
    );
  }
}

function isSame(a: Omit<Login, 'region'>, b: Omit<Login, 'region'>): boolean {
  return a.url === b.url && a.serverId === b.serverId && a.source === b.source;
}

/** Finds the key of a login that is kept and lives for more than `atLeast` milliseconds yet. */
export function findKey(
  { keys }: Content,
  login: Omit<Login, 'region'>,
  now: number,
  atLeast: number,
): StoredKey | undefined {
  return keys.find((key) => isSame(key, login) && key.expiresAt - now > atLeast);
}

/**
 * The file with a new key in the place of the old one of its login; keys that have ended are left
 * out.
 *
 * @param options.asLast whether commands without flags follow this login from now on; the first is
 *   followed in any case
 */
export function withKey(
  { keys, last }: Content,
  key: StoredKey,
  { now, asLast }: { readonly now: number; readonly asLast: boolean },
): Content {
  const { url, serverId, region, source, sourceProfile } = key;
  const others = keys.filter((other) => !isSame(other, key) && other.expiresAt > now);
  const made: Login = { url, serverId, region, source, sourceProfile };
  return { version: 1, last: asLast ? made : (last ?? made), keys: [...others, key] };
}
