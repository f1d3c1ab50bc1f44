// Reads a hub from its beginning with the official JavaScript client, until it has so many events:
//
//     NODE_PATH=MODULES node read.mjs CONNECTION_STRING HUB COUNT
//
// A line for each event, as it comes: partition, sequence number, offset and body, as a JSON array.

import { createRequire } from "node:module";

// An import looks only beside this file; this looks at NODE_PATH, too.
const require = createRequire(import.meta.url);
const { EventHubConsumerClient, earliestEventPosition } = require("@azure/event-hubs");

const [connection, hub, count] = process.argv.slice(2);
const client = new EventHubConsumerClient("$Default", connection, hub);
let left = Number(count);

await new Promise((resolve, reject) => {
  client.subscribe(
    {
      processEvents: async (events, context) => {
        for (const { sequenceNumber, offset, body } of events) {
          const text = Buffer.isBuffer(body) ? body.toString() : body;
          console.log(JSON.stringify([context.partitionId, sequenceNumber, offset, text]));
        }
        left -= events.length;
        if (left <= 0) resolve();
      },
      processError: async (error) => reject(error),
    },
    { startPosition: earliestEventPosition, maxWaitTimeInSeconds: 1 },
  );
});
await client.close();
