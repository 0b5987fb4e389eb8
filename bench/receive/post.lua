-- Sends the requests of a file, each once and whole as it stands there: `wrk ... -s post.lua URL -- FILE once|again`.
-- Before each request stands its length, in ten digits. "again" begins anew at the file's end.
local file, again
ran_out = false

function init(arguments)
   file = assert(io.open(arguments[1], "rb"))
   again = arguments[2] == "again"
end

function request()
   local length = file:read(10)
   if not length then
      if again then
         file:seek("set", 0)
         length = file:read(10)
      else
         ran_out = true
         wrk.thread:stop()
         return "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
      end
   end
   return file:read(tonumber(length))
end

function setup(thread)
   worker = thread
end

function done(summary, latency)
   io.write(string.format(
      '{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50_us": %d, "p99_us": %d, "ran_out": %s}\n',
      summary.requests, summary.duration, summary.errors.status,
      summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
      latency:percentile(50), latency:percentile(99), tostring(worker:get("ran_out") == true)))
end
