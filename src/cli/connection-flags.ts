import * as v from 'valibot';
import { switchFlag, textFlag, type Flag, type ValuesOf } from './flags.ts';

/**
 * A region's name goes into a host name, so it can hold nothing that would change which host that
 * is.
 */
export const REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d$/u;

const text = v.optional(v.string());
const region = v.optional(
  v.pipe(v.string(), v.regex(REGION, 'must be a region like eu-central-1')),
);
const serverId = v.optional(
  v.pipe(v.string(), v.regex(/^[!-~]{1,128}$/u, 'must be 1-128 characters')),
);
const front = v.optional(v.picklist(['lambda'], 'must be lambda'));
const service = v.optional(v.picklist(['lambda', 'execute-api'], 'must be lambda or execute-api'));

/** A flag with its line of `--help`. */
type DocumentedFlag<Value> = Flag<Value> & { readonly value: string; readonly help: string };

function documented<Value>(
  schema: v.GenericSchema<unknown, Value>,
  value: string,
  help: string,
): DocumentedFlag<Value> {
  return { ...textFlag(schema), value, help };
}

/**
 * The flags of every command that asks a TVM: which one, and who asks. With the lines of `--help`.
 */
export const CONNECTION_FLAGS = {
  url: documented(text, 'URL', 'the TVM (TVM_URL, or that of the last login)'),
  'server-id': documented(
    serverId,
    'ID',
    "the TVM's SENTINEL_SERVER_ID (TVM_SERVER_ID, or that of the last login)",
  ),
  region: documented(region, 'REGION', "the TVM's region (AWS_REGION)"),
  'sts-region': documented(
    region,
    'REGION',
    "the region whose STS confirms you; the TVM's unless given",
  ),
  'source-profile': documented(
    text,
    'NAME',
    "the AWS profile that signs; the default credentials of AWS's SDKs unless given",
  ),
  front: documented(
    front,
    'lambda',
    'the TVM stands behind AWS Lambda with AWS_IAM: sign with your own AWS credentials, without a login',
  ),
  service: documented(
    service,
    'NAME',
    'the service to sign for behind a front: lambda or execute-api, as the URL shows unless given',
  ),
  'registered-key': {
    ...switchFlag(),
    value: '',
    help: 'the credentials that sign are a key registered with the TVM: sign with it, without a login',
  },
  'login-file': documented(
    text,
    'FILE',
    'where the key is kept (TVM_LOGIN_FILE, ~/.sentinel-tvm/login.json)',
  ),
} as const;

/** What these flags come to. */
export type ConnectionFlags = {
  readonly url: string | undefined;
  readonly serverId: string | undefined;
  readonly region: string | undefined;
  readonly stsRegion: string | undefined;
  readonly sourceProfile: string | undefined;
  readonly front: 'lambda' | undefined;
  readonly service: 'lambda' | 'execute-api' | undefined;
  readonly registeredKey: boolean;
  readonly loginFile: string | undefined;
};

/** The values of these flags under the names that the sources use. */
export function toConnectionFlags(values: ValuesOf<typeof CONNECTION_FLAGS>): ConnectionFlags {
  return {
    url: values.url,
    serverId: values['server-id'],
    region: values.region,
    stsRegion: values['sts-region'],
    sourceProfile: values['source-profile'],
    front: values.front,
    service: values.service,
    registeredKey: values['registered-key'],
    loginFile: values['login-file'],
  };
}
