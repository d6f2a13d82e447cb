import { putAllBeside } from './json-schemas.ts';

// Every document that the readers accept in these tests must be valid by the JSON Schemas for
// editors, too.
putAllBeside();
