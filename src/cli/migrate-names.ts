import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { attributes, textAt } from '../aws/attributes.ts';
import { createAwsClients } from '../aws/clients.ts';
import { readParameterTree } from '../aws/paging.ts';
import { readItem, scanPages, updateIf } from '../aws/table.ts';
import { DEFAULT_TABLE_NAMES } from '../aws/tables.ts';
import { SECOND } from '../lib/clock.ts';
import { isBareName, NAMED_KINDS, splitAccount, type NamedKind } from '../lib/names.ts';
import { ok, refuse } from '../lib/result.ts';
import { namesInDocument } from '../policy/documents/names-in-documents.ts';
import { toStdout, type Environment, type Outcome } from './command.ts';
import { printable } from './printable.ts';

/** The item in which the server records its setting; see the catalog's `names-setting`. */
const SETTING = 'setting#bare-names';

/** How long a call to DynamoDB may take: somebody waits for the command. */
const DEADLINE = 5 * SECOND;

/** Revocations that one page of the table gives. */
const PAGE = 1_000;

/** Characters of a finding, with the names of a document, a rule and a caller in it. */
const LONGEST_LINE = 1_000;

/**
 * What is asked: to which owner of bare names, and whether the setting is changed or only looked
 * at.
 */
type NamesMigration = { readonly to: NamedKind; readonly apply: boolean };

function isKind(text: string | undefined): text is NamedKind {
  return NAMED_KINDS.some((kind) => kind === text);
}

/** What a name means under another owner of bare names; undefined where it means the same. */
function changeOf(name: string, from: NamedKind, to: NamedKind): string | undefined {
  const [account, rest] = splitAccount(name);
  if (isBareName(rest)) {
    const then = `${account}${to}/${rest}`;
    return `means ${account}${from}/${rest} now, and ${then} then; write ${account}${from}/${rest} to keep it`;
  }
  if (!rest.startsWith(`${to}/`)) return undefined;
  return `is refused then; write ${account}${rest.slice(to.length + 1)}`;
}

/** Finds the rules whose names change their meaning. */
async function findInDocuments(
  ssm: SSMClient,
  root: string,
  from: NamedKind,
  to: NamedKind,
): Promise<readonly string[]> {
  const parameters = await readParameterTree(ssm, root, false);
  return parameters.flatMap(({ name: parameter, text }) =>
    namesInDocument(text).flatMap(({ rule, key, name }) => {
      const change = changeOf(name, from, to);
      return change === undefined
        ? []
        : [`${parameter}, rule "${rule}", ${key}: "${name}" ${change}`];
    }),
  );
}

/**
 * Finds revocations by a bare name: others may have written such; the TVM's own hold the kind, and
 * never change.
 */
async function findInRevocations(
  dynamodb: DynamoDBClient,
  table: string,
  from: NamedKind,
  to: NamedKind,
): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const items of scanPages(
    { client: dynamodb, name: table, deadline: DEADLINE },
    PAGE,
  )) {
    for (const item of items) {
      const name = textAt(item, 'value') ?? '';
      if (textAt(item, 'kind') === 'user' && isBareName(splitAccount(name)[1])) {
        const id = textAt(item, 'id') ?? '';
        found.push(`${table}, ${id}: "${name}" means ${from}/${name} now, and ${to}/${name} then`);
      }
    }
  }
  return found;
}

/** Records the new setting, unless somebody else changed it meanwhile. */
async function apply(
  dynamodb: DynamoDBClient,
  name: string,
  from: NamedKind,
  to: NamedKind,
): Promise<boolean> {
  const table = { client: dynamodb, name, deadline: DEADLINE };
  const outcome = await updateIf(table, SETTING, 'SET #value = :to', {
    condition: '#value = :from',
    names: { '#value': 'value' },
    values: attributes({ ':to': to, ':from': from }),
  });
  return outcome === 'done' && textAt(await readItem(table, SETTING), 'value') === to;
}

/** Where the documents and tables are, by the variables that the TVM has too. */
function readPlaces(environment: Environment, region: string) {
  function endpoint(service: string) {
    return (
      environment[`AWS_ENDPOINT_URL_${service}`] || environment['AWS_ENDPOINT_URL'] || undefined
    );
  }
  return {
    clients: {
      region,
      endpoints: { sts: endpoint('STS'), ssm: endpoint('SSM'), dynamodb: endpoint('DYNAMODB') },
    },
    root: environment['SENTINEL_ROOT'] || '/sentinel',
    guard: environment['SENTINEL_GUARD_TABLE'] || DEFAULT_TABLE_NAMES.guard,
    revocations: environment['SENTINEL_REVOCATION_TABLE'] || DEFAULT_TABLE_NAMES.revocations,
  };
}

type Places = Omit<ReturnType<typeof readPlaces>, 'clients'> & {
  readonly ssm: SSMClient;
  readonly dynamodb: DynamoDBClient;
};

/** Finds what changes its meaning, and records the new setting if that is meant. */
async function migrate(
  { ssm, dynamodb, root, guard, revocations }: Places,
  { to, apply: isMeant }: NamesMigration,
): Outcome {
  const from = textAt(
    await readItem({ client: dynamodb, name: guard, deadline: DEADLINE }, SETTING),
    'value',
  );
  if (!isKind(from))
    return refuse(`No TVM has used the table ${guard} yet, so there is nothing to migrate.`);
  if (from === to)
    return ok(toStdout(`The tables are used with SENTINEL_BARE_NAMES=${to} already.\n`));
  const lines = [
    ...(await findInDocuments(ssm, root, from, to)),
    ...(await findInRevocations(dynamodb, revocations, from, to)),
  ].map((line) => `${printable(line, LONGEST_LINE)}\n`);
  const report = `${lines.join('')}${lines.length} names change their meaning from SENTINEL_BARE_NAMES=${from} to ${to}.\n`;
  if (!isMeant)
    return ok(toStdout(`${report}Nothing was changed; --apply records the new setting.\n`));
  if (!(await apply(dynamodb, guard, from, to))) {
    return refuse('The setting was changed by somebody else meanwhile; run the command again.');
  }
  const next = `The new setting is recorded: stop every TVM, and start them with SENTINEL_BARE_NAMES=${to}.\n`;
  return ok(toStdout(`${report}${next}`));
}

/**
 * Tells which rules and revocations change their meaning when another kind of caller owns bare
 * names, and, with `apply`, records the new setting. It is for operators: it reads the documents
 * and the tables with AWS credentials, as the TVM does, and changes neither.
 */
export async function migrateNames(migration: NamesMigration, environment: Environment): Outcome {
  const region = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'];
  if (!region)
    return refuse('AWS_REGION is not set; set it to the region of the TVM, like eu-central-1.');
  const { clients, ...places } = readPlaces(environment, region);
  const { ssm, dynamodb, sts, feed } = createAwsClients(clients);
  try {
    return await migrate({ ...places, ssm, dynamodb }, migration);
  } catch (error) {
    const [said = ''] = (
      error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    ).split('\n', 1);
    return refuse(`The documents or tables cannot be read (${printable(said)}).`);
  } finally {
    for (const client of [ssm, dynamodb, sts, feed]) client.destroy();
  }
}
