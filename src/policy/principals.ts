import { isAccountId } from '../lib/arn.ts';
import { nearest } from '../lib/nearest.ts';
import { PARTITION_NAMES } from '../lib/partitions.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { hasWildcard, matchesPattern } from './arn-pattern.ts';
import { quote } from './reading/problem.ts';

/**
 * IAM's limit for an ARN:
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyDescriptorType.html
 */
const MAX_LENGTH = 2_048;

/**
 * The characters of an IAM ARN: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
 * (path, name).
 */
const PRINTABLE = /^[\u0021-\u007e]+$/u;

/**
 * Names of roles and users:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
 */
const NAME = { characters: /^[\w+=,.@-]*$/u, shortest: 1, longest: 64 } as const;
const DIGITS = { characters: /^\d*$/u, shortest: 12, longest: 12 } as const;
/** A user's path between `user/` and the last `/`. It may contain slashes and colons itself. */
const PATH = { characters: /^[\u0021-\u007e]*$/u, shortest: 1, longest: 510 } as const;
const KEY_ID = { characters: /^\w*$/u, shortest: 1, longest: 128 } as const;

const EXAMPLE = 'arn:aws:iam::111122223333:role/Name';

/**
 * Checks that a text of `principals` is a pattern that some caller's principal could match.
 * Principals are `arn:P:iam::A:user/path/N`, `arn:P:iam::A:role/R`, which has no path because STS
 * does not report it, and `sentinel:key/<access key id>`. In a pattern `*` and `?` stand for
 * characters other than `:` and `/`. Refuses with a sentence that says what could match, or gives
 * the pattern back.
 */
export function checkPrincipalPattern(pattern: string): Result<string, string> {
  if (pattern.startsWith('sentinel:key/')) return checkKey(pattern);
  const [scheme, partition = '', service = '', region = '', account = '', ...rest] =
    pattern.split(':');
  const resource = rest.join(':');
  if (
    scheme !== 'arn' ||
    resource === '' ||
    !PRINTABLE.test(pattern) ||
    pattern.length > MAX_LENGTH
  ) {
    return refuse(
      `${quote(pattern)} is neither an ARN like arn:aws:iam::111122223333:role/* nor sentinel:key/<id>`,
    );
  }
  const problem =
    checkService({ partition, service, account, resource }) ??
    checkPlace(partition, region, account) ??
    checkResource(`arn:${partition}:${service}:${region}:${account}:`, resource);
  return problem === undefined ? ok(pattern) : refuse(`${quote(pattern)} ${problem}`);
}

/** The same for one principal without wildcards, as a revocation names it. */
export function checkPrincipal(text: string): Result<string, string> {
  if (!hasWildcard(text)) return checkPrincipalPattern(text);
  return refuse(
    `${quote(text)} has a wildcard, but must name one principal in full, like ${EXAMPLE}`,
  );
}

function checkKey(pattern: string): Result<string, string> {
  const id = pattern.slice('sentinel:key/'.length);
  if (couldBe(id, KEY_ID)) return ok(pattern);
  return refuse(
    `${quote(pattern)} is neither an ARN nor sentinel:key/<id>, whose access key id is 1 to 128 letters, digits and _`,
  );
}

type Parts = Readonly<Record<'partition' | 'service' | 'account' | 'resource', string>>;

function checkService({ partition, service, account, resource }: Parts): string | undefined {
  // The principal of a session is its role.
  const role =
    service === 'sts' ? /^assumed-role\/([^/]+)(?:\/|$)/u.exec(resource)?.[1] : undefined;
  if (role !== undefined) {
    return `names a session; name its role, like arn:${partition}:iam::${account || '111122223333'}:role/${role}`;
  }
  if (service === 'sts')
    return `cannot be a caller: only IAM users and roles are; name one, like ${EXAMPLE}`;
  if (matchesPattern(service, 'iam')) return undefined;
  return `is of the service ${quote(service)}, but only IAM users and roles are callers; name one, like ${EXAMPLE}`;
}

function checkPlace(partition: string, region: string, account: string): string | undefined {
  if (!PARTITION_NAMES.some((known) => matchesPattern(partition, known))) {
    const near = partition === 'aws-gov' ? 'aws-us-gov' : nearest(partition, PARTITION_NAMES);
    const hint = near === undefined ? `AWS has ${PARTITION_NAMES.join(', ')}` : `write ${near}`;
    return `has the partition ${quote(partition)}, which does not exist; ${hint}`;
  }
  if (!matchesPattern(region, ''))
    return `has the region ${quote(region)}, but ARNs of IAM have none; write iam::`;
  if (couldBe(account, DIGITS)) return undefined;
  return hasWildcard(account)
    ? `has the account ${quote(account)}, which no account id of twelve digits matches`
    : `has the account ${quote(account)}; an account id is twelve digits`;
}

function checkResource(prefix: string, resource: string): string | undefined {
  if (resource === 'root') {
    return `is the account's root user, which cannot be a caller; name users and roles, like ${prefix}role/Name`;
  }
  const [type = '', ...segments] = resource.split('/');
  const name = segments.at(-1);
  if (name === undefined) {
    const hint = hasWildcard(type) ? '"*" does not cross "/"' : 'it has no name';
    return `can match nobody: ${hint}; write ${prefix}role/Name or ${prefix}user/Name`;
  }
  const isUser = matchesPattern(type, 'user');
  if (!isUser && !matchesPattern(type, 'role')) {
    return `is not an IAM user or role, and only these are callers; name one, like ${prefix}role/Name`;
  }
  if (!isUser && segments.length > 1) return pathOfRole(prefix, name);
  if (!couldBe(name, NAME))
    return 'does not end in a valid name: names are 1 to 64 letters, digits and _+=,.@-';
  const path = segments.slice(0, -1).join('/');
  return segments.length === 1 || couldBe(path, PATH)
    ? undefined
    : `has a path that IAM does not allow; write ${prefix}user/${name}`;
}

function pathOfRole(prefix: string, name: string): string {
  const why = "includes the role's path, which STS does not report, so it matches nobody";
  // Without its path, a pattern for all roles of a path would match every role of the account.
  const isAny = name.replaceAll(/[*?]/gu, '') === '';
  return isAny
    ? `${why}; list each role, like ${prefix}role/Name`
    : `${why}; write ${prefix}role/${name}`;
}

type Form = { readonly characters: RegExp; readonly shortest: number; readonly longest: number };

/**
 * Whether some text of the form matches a pattern, where `*` is any number of characters and `?` is
 * one.
 */
function couldBe(pattern: string, { characters, shortest, longest }: Form): boolean {
  const fixed = pattern.replaceAll('*', '').length;
  const literal = pattern.replaceAll(/[*?]/gu, '');
  const isLongEnough = pattern.includes('*') || fixed >= shortest;
  return characters.test(literal) && isLongEnough && fixed <= longest;
}

/**
 * The account of a pattern that {@link checkPrincipalPattern} accepted; undefined for a registered
 * key.
 */
export function accountOfPattern(pattern: string): string | undefined {
  return pattern.startsWith('sentinel:') ? undefined : pattern.split(':')[4];
}

/** The access key id of `sentinel:key/<id>`; undefined for every other pattern. */
export function keyOfPattern(pattern: string): string | undefined {
  return pattern.startsWith('sentinel:key/') ? pattern.slice('sentinel:key/'.length) : undefined;
}

/**
 * Checks that a text of `accounts` is twelve digits. Refuses with a sentence, or gives the text
 * back.
 */
export function checkAccount(text: string): Result<string, string> {
  if (isAccountId(text)) return ok(text);
  const digits = /^\d+$/u.test(text) ? `, but has ${text.length}` : '';
  return refuse(`must be an account id of twelve digits${digits}`);
}
