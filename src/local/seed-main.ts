import { seedSettings, seedTarget } from './environment.ts';
import { seed } from './seed.ts';

/** `npm run seed`: tables and demo documents into the AWS that `AWS_ENDPOINT_URL` names. Exit 1 with one sentence. */
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
