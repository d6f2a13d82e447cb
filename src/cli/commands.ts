import type { Command } from './command.ts';
import { credentials } from './commands/credentials.ts';
import { login } from './commands/login.ts';
import { namesMigrate } from './commands/names-migrate.ts';
import { whoami } from './commands/whoami.ts';

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [login, credentials, whoami, namesMigrate];
