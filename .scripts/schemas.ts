import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { documentSchemas } from './document-schemas.ts';

/**
 * `npm run schemas`: writes the JSON Schemas to `src/policy/schemas`, and removes what is there.
 */
const ROOT = resolve(import.meta.dirname, '..');
const DIRECTORY = join(ROOT, 'src/policy/schemas');

mkdirSync(DIRECTORY, { recursive: true });
for (const old of readdirSync(DIRECTORY)) rmSync(join(DIRECTORY, old));
for (const [name, schema] of Object.entries(documentSchemas())) {
  writeFileSync(join(DIRECTORY, `${name}.json`), `${JSON.stringify(schema, undefined, 2)}\n`);
}
const oxfmt = join(ROOT, 'node_modules/oxfmt/bin/oxfmt');
process.exitCode =
  spawnSync(process.execPath, [oxfmt, DIRECTORY], { stdio: 'inherit' }).status ?? 1;
