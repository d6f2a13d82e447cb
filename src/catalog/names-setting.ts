import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, textAt } from '../aws/attributes.ts';
import { putIf, readItem } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import type { NamedKind } from '../lib/names.ts';

/** A call for the setting in the guard table. */
const DEADLINE = 3 * SECOND;

const ID = 'setting#bare-names';

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly bareNames: NamedKind;
  /**
   * Is told in a sentence that the tables were written under another setting, so that nothing can
   * be served.
   */
  readonly onMismatch: (sentence: string) => void;
};

/**
 * Makes the function that compares SENTINEL_BARE_NAMES with the setting that the tables were first
 * used with, and records it if there is none: under another setting, rules and revocations would
 * silently mean other people. Once the settings are known to be equal, it asks no more. It rejects
 * while the recorded setting cannot be read, and always if it differs.
 */
export function createNamesSetting({
  client,
  table: name,
  bareNames,
  onMismatch,
}: Options): () => Promise<void> {
  const table = { client, name, deadline: DEADLINE };
  let confirmed = false;

  async function confirmNames(): Promise<void> {
    if (confirmed) return;
    const found = (await record()) ? bareNames : textAt(await readItem(table, ID), 'value');
    if (found === bareNames) {
      confirmed = true;
      return;
    }
    const sentence =
      `SENTINEL_BARE_NAMES is "${bareNames}", but the tables were used with "${found ?? 'none'}"; set it back, or let ` +
      '"sentinel-tvm names migrate" show which rules and revocations would change their meaning.';
    onMismatch(sentence);
    throw new Error(sentence);
  }

  /** Writes the setting, unless another one is recorded. Gives whether it is recorded now. */
  async function record(): Promise<boolean> {
    const outcome = await putIf(table, attributes({ id: ID, value: bareNames }), {
      condition: 'attribute_not_exists(id) OR #value = :value',
      names: { '#value': 'value' },
      values: attributes({ ':value': bareNames }),
    });
    return outcome === 'done';
  }

  return confirmNames;
}
