import { seedSettings, seedTarget } from './environment.ts';
import { seed } from './seed.ts';

/**
 * `npm run seed`: makes tables and demo documents in the AWS at `AWS_ENDPOINT_URL`. Errors are one
 * sentence, with exit code 1.
 */
async function main(): Promise<void> {
  const target = seedTarget(process.env);
  if (!target.ok) throw new Error(target.refusal);
  await seed({
    ...target.value,
    ...seedSettings(process.env),
    report: (line) => process.stdout.write(`${line}\n`),
  });
}

try {
  await main();
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message || cause.name : String(cause)}\n`);
  process.exitCode = 1;
}
