import { parseArgs } from 'node:util';
import { ok, refuse, type Result } from '../lib/result.ts';
import { NAMED_KINDS, type NamedKind } from '../lib/names.ts';
import { nearest } from '../lib/nearest.ts';
import { quoted } from '../lib/unseen.ts';
import { isProfileName } from '../lib/profile-name.ts';

/** What can be asked for on the command line. */
export type Flags = {
  readonly url?: string;
  readonly serverId?: string;
  readonly region?: string;
  readonly stsRegion?: string;
  readonly sourceProfile?: string;
  readonly front?: 'lambda';
  readonly service?: string;
  readonly loginFile?: string;
};

/** One command with all that it needs. `duration` in seconds. */
export type Command =
  | { readonly name: 'login'; readonly print: boolean; readonly flags: Flags }
  | {
      readonly name: 'credentials';
      readonly profile: string;
      readonly duration: number;
      readonly label?: string;
      readonly flags: Flags;
    }
  | { readonly name: 'whoami'; readonly json: boolean; readonly flags: Flags }
  | { readonly name: 'names'; readonly to: NamedKind; readonly apply: boolean }
  | { readonly name: 'help' }
  | { readonly name: 'version' };

/** What `credentials` asks for: the SDKs renew from 15 minutes before the end, so shorter ones would be vended at each call. */
const USUAL_SECONDS = 3_600;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

const COMMON = {
  url: text,
  'server-id': text,
  region: text,
  'sts-region': text,
  'source-profile': text,
  front: text,
  service: text,
  'login-file': text,
} as const;

const OPTIONS = {
  login: { ...COMMON, print: flag },
  credentials: { ...COMMON, profile: text, duration: text, label: text },
  whoami: { ...COMMON, json: flag },
  names: { to: text, apply: flag },
} as const;

type CommandName = keyof typeof OPTIONS;

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(OPTIONS, name);
}

/** What `--help` prints. */
export const HELP = `sentinel-tvm: AWS credentials from a Token Vending Machine

  sentinel-tvm login [--print]              get a key of the TVM for the AWS credentials that you have
  sentinel-tvm credentials --profile NAME   credentials of a profile, as an AWS credential_process prints them
               [--duration SECONDS] [--label TEXT]
  sentinel-tvm whoami [--json]              whom the TVM takes you for
  sentinel-tvm names migrate --to KIND      which rules change their meaning when another kind of caller (key, user, sso)
               [--apply]                    owns bare names; for operators, with the TVM's variables and AWS credentials

  --url URL              the TVM (TVM_URL, or that of the last login)
  --server-id ID         the TVM's SENTINEL_SERVER_ID (TVM_SERVER_ID, or that of the last login)
  --region REGION        the TVM's region (AWS_REGION)
  --sts-region REGION    the region whose STS confirms you; the TVM's unless given
  --source-profile NAME  the AWS profile that signs; the default credentials of AWS's SDKs unless given
  --front lambda         the TVM stands behind AWS Lambda with AWS_IAM: sign with your own AWS credentials, without a login
  --service NAME         the service to sign for behind a front: lambda or execute-api, as the URL shows unless given
  --login-file FILE      where the key is kept (TVM_LOGIN_FILE, ~/.sentinel-tvm/login.json)

In ~/.aws/config:
  [profile dev]
  credential_process = sentinel-tvm credentials --profile dev --source-profile default
`;

/** Reads the arguments after the program's name; refuses with a sentence. */
export function readArguments(argv: readonly string[]): Result<Command, string> {
  const [name = 'help', ...rest] = argv;
  if (argv.includes('--help') || name === 'help' || name === '-h') return ok({ name: 'help' });
  if (name === '--version' || name === 'version') return ok({ name: 'version' });
  if (!isCommand(name)) {
    const meant = nearest(name, Object.keys(OPTIONS));
    return refuse(`${quoted(name)} is no command${meant === undefined ? '.' : `; did you mean ${meant}?`} See --help.`);
  }
  if (name === 'names' && rest[0] !== 'migrate') {
    return refuse('The command is "names migrate --to key", "user" or "sso"; see --help.');
  }
  try {
    const args = name === 'names' ? rest.slice(1) : rest;
    const { values } = parseArgs({ args, options: OPTIONS[name], allowPositionals: false });
    return toCommand(name, values);
  } catch (cause) {
    // Node's first sentence says what is wrong; the others tell how its own parser would take it.
    const [what = ''] = cause instanceof Error ? cause.message.split(/[.?]\s/u, 1) : ['The arguments are wrong'];
    return refuse(`${what}; see --help.`);
  }
}

type Values = { readonly [option: string]: unknown };

function toCommand(name: CommandName, values: Values): Result<Command, string> {
  if (name === 'names') return toMigration(values);
  const flags = readFlags(values);
  if (!flags.ok) return flags;
  switch (name) {
    case 'login':
      if (flags.value.front !== undefined) {
        return refuse('There is no login behind a Lambda front: AWS verifies each request; use credentials or whoami.');
      }
      return ok({ name, print: values['print'] === true, flags: flags.value });
    case 'whoami':
      return ok({ name, json: values['json'] === true, flags: flags.value });
    case 'credentials':
      return toCredentials(values, flags.value);
  }
}

function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

function toMigration(values: Values): Result<Command, string> {
  const to = NAMED_KINDS.find((kind) => kind === values['to']);
  if (to === undefined) return refuse('--to must be key, user or sso: the kind of caller that is to own bare names.');
  return ok({ name: 'names', to, apply: values['apply'] === true });
}

function toCredentials(values: Values, flags: Flags): Result<Command, string> {
  const profile = textOf(values, 'profile');
  if (profile === undefined || !isProfileName(profile)) {
    return refuse('--profile must name a profile of the TVM, like dev or team/prod.');
  }
  const duration = textOf(values, 'duration') ?? `${USUAL_SECONDS}`;
  if (!/^[1-9]\d{2,3}$/u.test(duration) || Number(duration) < 900 || Number(duration) > 3_600) {
    return refuse('--duration must be a whole number of seconds from 900 to 3600.');
  }
  const label = textOf(values, 'label');
  if (label !== undefined && !/^[A-Za-z0-9_.-]{1,32}$/u.test(label)) {
    return refuse('--label must be 1-32 letters, digits, "_", "." or "-".');
  }
  return ok({
    name: 'credentials',
    profile,
    duration: Number(duration),
    ...(label === undefined ? {} : { label }),
    flags,
  });
}

/** A region's name goes into a host name, so it can hold nothing that would change which host that is. */
const FORMS: readonly (readonly [option: string, form: RegExp, what: string])[] = [
  ['region', /^[a-z]{2,4}(?:-[a-z]+)+-\d$/u, 'a region like eu-central-1'],
  ['sts-region', /^[a-z]{2,4}(?:-[a-z]+)+-\d$/u, 'a region like eu-central-1'],
  ['front', /^lambda$/u, 'lambda'],
  ['service', /^(?:lambda|execute-api)$/u, 'lambda or execute-api'],
  ['server-id', /^[!-~]{1,128}$/u, '1-128 characters'],
];

function readFlags(values: Values): Result<Flags, string> {
  for (const [option, form, what] of FORMS) {
    const value = textOf(values, option);
    if (value !== undefined && !form.test(value)) return refuse(`--${option} must be ${what}.`);
  }
  const given = {
    url: textOf(values, 'url'),
    serverId: textOf(values, 'server-id'),
    region: textOf(values, 'region'),
    stsRegion: textOf(values, 'sts-region'),
    sourceProfile: textOf(values, 'source-profile'),
    front: values['front'] === 'lambda' ? ('lambda' as const) : undefined,
    service: textOf(values, 'service'),
    loginFile: textOf(values, 'login-file'),
  };
  return ok(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
}
