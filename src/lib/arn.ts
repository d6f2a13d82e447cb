import { PARTITION_NAMES } from './partitions.ts';
import { refuse, ok, type Result } from './result.ts';

/** The six parts of an Amazon Resource Name. */
export type Arn = {
  readonly partition: string;
  readonly service: string;
  readonly region: string;
  readonly account: string;
  readonly resource: string;
};

const ARN = new RegExp(
  `^arn:(${PARTITION_NAMES.join('|')}):([a-z0-9-]+):([a-z0-9-]*):(\\d{12}|aws|):(.+)$`,
  'u',
);

/**
 * IAM's limits for a role's path and name:
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
 */
const ROLE = /^role\/(?:[\u0021-\u007e]{1,510}\/)?([\w+=,.@-]{1,64})$/u;

/** An account id is twelve decimal digits. */
export function isAccountId(text: string): boolean {
  return /^\d{12}$/u.test(text);
}

/** Splits an ARN into its parts; refuses anything else with a sentence. */
export function parseArn(text: string): Result<Arn, string> {
  const match = ARN.exec(text);
  if (match === null) return refuse(`"${text}" is not an ARN`);
  const [, partition = '', service = '', region = '', account = '', resource = ''] = match;
  return ok({ partition, service, region, account, resource });
}

/** Parses `arn:P:iam::A:role/path/Name`; refuses every other ARN with a sentence. */
export function parseRoleArn(text: string): Result<Arn & { readonly roleName: string }, string> {
  const arn = parseArn(text);
  if (!arn.ok) return arn;
  const { service, region, account, resource } = arn.value;
  const roleName = ROLE.exec(resource)?.[1];
  if (
    service !== 'iam' ||
    region !== '' ||
    !isAccountId(account) ||
    roleName === undefined ||
    text.length > 2048
  ) {
    return refuse(`"${text}" is not the ARN of an IAM role`);
  }
  return ok({ ...arn.value, roleName });
}

/**
 * The principal of a role's sessions: the role's ARN without its path, which STS leaves out.
 * Undefined for any other text.
 */
export function toRolePrincipal(roleArn: string): string | undefined {
  const role = parseRoleArn(roleArn);
  if (!role.ok) return undefined;
  const { partition, account, roleName } = role.value;
  return `arn:${partition}:iam::${account}:role/${roleName}`;
}
