import { ok, refuse, type Result } from '../lib/result.ts';
import type { SigningCredentials } from '../sigv4/sign.ts';
import type { Environment } from './command.ts';
import { staticKeyId } from './settings.ts';

/**
 * Set in the environment of every program that this one starts, so that a run inside a run is
 * noticed.
 */
export const NESTED = 'TVM_NESTED';

const NAME_THE_SOURCE = 'name the profile that signs with --source-profile.';

/** The sentence for a run inside a run. */
export const NESTED_SENTENCE = `sentinel-tvm would ask itself for the credentials to ask with; ${NAME_THE_SOURCE}`;

type Profile = Readonly<Record<string, string | undefined>>;

/** AWS's shared configuration, as far as it is needed here: profiles by name. */
export type Profiles = Readonly<Record<string, Profile | undefined>>;

/** Whether a command line runs this program: directly, by its path, or through node or npx. */
export function runsOurselves(command: string): boolean {
  return [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/gu)]
    .map(([, double, single, bare]) => double ?? single ?? bare ?? '')
    .some((word) => /(?:^|[/\\])sentinel-tvm(?:\.(?:mjs|cmd|exe|ps1))?$/iu.test(word));
}

/**
 * Whether a profile gets its credentials from this program, directly or through its
 * `source_profile`. A chain of such profiles that returns to one of them ends there.
 */
export function isOurProfile(name: string, profiles: Profiles): boolean {
  const seen = new Set<string>();
  let current: string | undefined = name;
  while (current !== undefined && !seen.has(current)) {
    seen.add(current);
    const profile: Profile | undefined = profiles[current];
    if (
      profile?.['credential_process'] !== undefined &&
      runsOurselves(profile['credential_process'])
    )
      return true;
    current = profile?.['source_profile'];
  }
  return false;
}

async function readProfiles(): Promise<Profiles> {
  const { loadSharedConfigFiles } = await import('@smithy/core/config');
  const { configFile, credentialsFile } = await loadSharedConfigFiles();
  const names = new Set([...Object.keys(configFile), ...Object.keys(credentialsFile)]);
  return Object.fromEntries(
    [...names].map((name) => [name, { ...configFile[name], ...credentialsFile[name] }]),
  );
}

function silent(): void {
  return undefined;
}

/**
 * The SDK would warn on the console, and an SDK that runs this program may take any stderr for an
 * error.
 */
const SILENT = { debug: silent, info: silent, warn: silent, error: silent };

/**
 * Whether the SDK says that a profile gave these credentials: it marks them so, however it read the
 * profile.
 */
function cameFromProfile(credentials: object): boolean {
  return (
    '$source' in credentials &&
    Object.keys(credentials.$source ?? {}).some((feature) =>
      feature.startsWith('CREDENTIALS_PROFILE'),
    )
  );
}

/**
 * Gets the caller's AWS credentials by the default chain of AWS's SDK: environment, SSO, shared
 * files, web identity, ECS, EC2. Refuses with a sentence where there are none, or where they would
 * come from this program.
 *
 * A profile that is named is the only source. Where it gives nothing, the SDK would go on to the
 * role of the container or the machine, and somebody else would sign than was asked to.
 *
 * The SDK is loaded only here, because most runs sign with a key that is kept.
 */
export async function resolveSourceCredentials(
  sourceProfile: string | undefined,
  environment: Environment,
): Promise<Result<SigningCredentials, string>> {
  const named = sourceProfile ?? (environment['AWS_PROFILE'] || undefined);
  const inUse = named ?? (staticKeyId(environment) === undefined ? 'default' : undefined);
  const profiles = await readProfiles();
  if (named !== undefined && profiles[named] === undefined) {
    return refuse(`There is no AWS profile ${named}; ${NAME_THE_SOURCE}`);
  }
  if (inUse !== undefined && isOurProfile(inUse, profiles)) {
    return refuse(
      `The AWS profile ${inUse} gets its credentials from sentinel-tvm itself; ${NAME_THE_SOURCE}`,
    );
  }
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  try {
    const provide = defaultProvider({
      logger: SILENT,
      ...(named === undefined ? {} : { profile: named }),
    });
    const credentials = await provide();
    if (named !== undefined && !cameFromProfile(credentials)) {
      return refuse(
        `There are no AWS credentials to sign with: the AWS profile ${named} gives none.`,
      );
    }
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    return ok({ accessKeyId, secretAccessKey, sessionToken });
  } catch (cause) {
    // What a credential_process wrote may be anything; the first line of the SDK's own message is
    // enough.
    const [why = ''] = (cause instanceof Error ? cause.message : '').split('\n');
    const reason = why.slice(0, 200).replace(/[.\s]+$/u, '') || 'the SDK gives no reason';
    return refuse(`There are no AWS credentials to sign with: ${reason}.`);
  }
}
