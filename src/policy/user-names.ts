import { isAccountId } from '../lib/arn.ts';
import { NAMED_KINDS, type NamedKind } from '../lib/names.ts';
import { nearest } from '../lib/nearest.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard } from './arn-pattern.ts';
import { oneOfWords, quote } from './reading/problem.ts';

/** The parts of a caller's name. */
export type UserName = {
  /** The account id before the name; undefined for callers of the TVM's own account. */
  readonly account: string | undefined;
  readonly kind: NamedKind | 'role';
  /** The name of the key, user, person or role, without its kind. */
  readonly bare: string;
  /** The session in `role/R/S`, the name of a session of a role whose session names are trusted. */
  readonly session: string | undefined;
};

/** The kind of caller that bare names mean: the value of SENTINEL_BARE_NAMES. */
export type NameRules = { readonly bareNames: NamedKind };

/** The form of one kind of name: what to call it in messages, and its least length. */
type Form = { readonly whose: string; readonly shortest: number };

/**
 * Names of IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html. Names
 * of sessions, which are also those of people of Identity Center:
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html. Registered keys follow
 * the same rules. All have at most 64 characters.
 */
const FORMS = {
  key: { whose: 'of a registered key', shortest: 1 },
  user: { whose: 'of an IAM user', shortest: 1 },
  sso: { whose: 'of an Identity Center session', shortest: 2 },
  role: { whose: 'of a role', shortest: 1 },
  session: { whose: "of a role's session", shortest: 2 },
} as const satisfies Readonly<Record<string, Form>>;

const LONGEST = 64;

const KINDS = [...NAMED_KINDS, 'role'] as const;

/**
 * Checks that a text of `users`, `approvers` and the like could be some caller's name, by its form
 * and by the kind that bare names mean. Refuses with a sentence that says what to write, or gives
 * the text back.
 */
export function checkUserName(text: string, rules: NameRules): Result<string, string> {
  const parsed = parseUserName(text, rules);
  return parsed.ok ? ok(text) : parsed;
}

/** The same, but gives the parts of the name. */
export function parseUserName(text: string, { bareNames }: NameRules): Result<UserName, string> {
  const refusal = refusalOfText(text, bareNames);
  if (refusal !== undefined) return refuse(`${quote(text)} ${refusal}`);
  const [account, rest] = partAccount(text);
  const [first = '', ...segments] = rest.split('/');
  const name = { account, session: undefined, bare: segments[0] ?? first } as const;
  const problem = problemOfSegments({ account, first, segments }, bareNames);
  if (problem !== undefined) return refuse(`${quote(text)} ${problem}`);
  if (segments.length === 0) return checkForm(text, { ...name, kind: bareNames });
  if (first !== 'role') return checkForm(text, { ...name, kind: first as NamedKind });
  return checkForm(text, { ...name, kind: 'role', session: segments[1] });
}

/** The problem of a text that cannot be split into the parts of a name. */
function refusalOfText(text: string, bareNames: NamedKind): string | undefined {
  if (/^arn:/iu.test(text)) return ofArn(text, bareNames);
  if (text.startsWith('sentinel:'))
    return 'is a principal; write the name in the document of that key';
  if (!/^[\u0021-\u007e]*$/u.test(text)) return ofOddCharacter(text);
  if (hasWildcard(text)) {
    return 'has a wildcard, but names are compared exactly; list each name, or use principals like arn:aws:iam::111122223333:role/*';
  }
  const [account, ...rest] = text.split(':');
  if (rest.length === 0 || (rest.length === 1 && isAccountId(account ?? ''))) return undefined;
  const digits = /^\d+$/u.test(account ?? '') && rest.length === 1;
  return digits
    ? `has an account of ${account?.length ?? 0} digits; an account id is twelve digits`
    : 'has a colon, which is allowed only after an account id, like 111122223333:user/bob';
}

function partAccount(text: string): readonly [account: string | undefined, rest: string] {
  const colon = text.indexOf(':');
  return colon === -1 ? [undefined, text] : [text.slice(0, colon), text.slice(colon + 1)];
}

type Parts = {
  readonly account: string | undefined;
  readonly first: string;
  readonly segments: readonly string[];
};

function problemOfSegments(
  { account, first, segments }: Parts,
  bareNames: NamedKind,
): string | undefined {
  const at = account === undefined ? '' : `${account}:`;
  const last = segments.at(-1) ?? first;
  const isKey =
    first === 'key' ? segments.length > 0 : segments.length === 0 && bareNames === 'key';
  if (account !== undefined && isKey && last !== '') {
    const name = withKind('key', last, bareNames);
    return `has an account id, but a registered key's name has none; write ${name}, or ${at}user/${last} for an IAM user of that account`;
  }
  if (segments.length === 0) return undefined;
  if (first === 'role') {
    return segments.length > 2
      ? `includes the role's path, which STS does not report; write ${at}role/${last}`
      : undefined;
  }
  const kind = NAMED_KINDS.find((known) => known === first);
  if (kind === undefined) return ofUnknownKind(first, at, segments);
  if (segments.length > 1)
    return `includes a path, but names have none; write ${at}${withKind(kind, last, bareNames)}`;
  return kind === bareNames
    ? `begins with ${kind}/, which is left out here because SENTINEL_BARE_NAMES is ${bareNames}; write ${at}${last}`
    : undefined;
}

function ofUnknownKind(first: string, at: string, segments: readonly string[]): string {
  const [next = ''] = segments;
  if (first === 'assumed-role') return `names a session of a role; write ${at}role/${next}`;
  const near = nearest(first.toLowerCase(), KINDS);
  const hint = near === undefined ? '' : `; did you mean ${at}${near}/${segments.join('/')}?`;
  return `begins with no known kind of caller; names are bare or begin with ${oneOfWords(KINDS.map((kind) => `${kind}/`))}${hint}`;
}

/** Writes a name as documents here do: without its kind if bare names mean that kind. */
function withKind(kind: NamedKind, bare: string, bareNames: NamedKind): string {
  return kind === bareNames ? bare : `${kind}/${bare}`;
}

function checkForm(text: string, name: UserName): Result<UserName, string> {
  const problem =
    problemOfForm(name.bare, FORMS[name.kind]) ??
    (name.session === undefined ? undefined : problemOfForm(name.session, FORMS.session));
  return problem === undefined ? ok(name) : refuse(`${quote(text)} ${problem}`);
}

function problemOfForm(bare: string, { whose, shortest }: Form): string | undefined {
  const isName = bare.length >= shortest && bare.length <= LONGEST && /^[\w+=,.@-]*$/u.test(bare);
  return isName
    ? undefined
    : `is not a valid name: the name ${whose} is ${shortest} to ${LONGEST} letters, digits and _+=,.@-`;
}

/** The problem of an ARN, with the name that its caller has. */
function ofArn(text: string, bareNames: NamedKind): string {
  const [, , , , account = '', ...rest] = text.split(':');
  const [type = '', ...path] = rest.join(':').split('/');
  const last = path.at(-1) ?? '';
  const name = nameOfResource({ type, last, role: path[0] ?? '' }, bareNames);
  if (name === undefined || /[^\w+=,.@/-]/u.test(name))
    return 'is an ARN, not a name; put it under principals';
  const other = isAccountId(account)
    ? `, or ${account}:${name} if that is not the TVM's own account`
    : '';
  return `is an ARN, not a name; write ${name}${other}`;
}

function nameOfResource(
  { type, last, role }: Readonly<Record<'type' | 'last' | 'role', string>>,
  bareNames: NamedKind,
): string | undefined {
  if (last === '') return undefined;
  if (type === 'user') return withKind('user', last, bareNames);
  if (type === 'assumed-role') return `role/${role}`;
  return type === 'role' ? `role/${last}` : undefined;
}

/**
 * Letters of other scripts that look like Latin ones. In each pair the Latin letter comes second.
 */
const LOOK_ALIKES: ReadonlyMap<string, string> = new Map(
  'аaеeоoрpсcхxуyіiјjѕsԁdһhԛqԝwАAВBЕEКKМMНHОOРPСCТTХXІIЈJЅSαaοoνvΑAΒBΕEΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXΖZ'
    .match(/../gu)
    ?.map((pair) => [pair.charAt(0), pair.charAt(1)] as const) ?? [],
);

/**
 * The problem of a character that names cannot have, with the name without it or with its
 * look-alike.
 */
function ofOddCharacter(text: string): string {
  const odd = Array.from(text).find((character) => !/[\u0021-\u007e]/u.test(character)) ?? '';
  const code = `U+${(odd.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  const plain = Array.from(text.normalize('NFKC'), (one) => LOOK_ALIKES.get(one) ?? one).join('');
  const seen = plain.replaceAll(/\p{C}/gu, '').trim();
  const what = odd === ' ' ? 'has a space' : `has the character ${code}`;
  const hint = /^[\u0021-\u007e]+$/u.test(seen) ? `; write ${seen}` : '';
  return `${what}, but names are letters, digits and _+=,.@- of ASCII${hint}`;
}
