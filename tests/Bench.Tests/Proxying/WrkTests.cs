using System.Text;
using Mirror.Bench.Proxying;

namespace Mirror.Bench.Tests.Proxying;

public sealed class WrkTests
{
    private const string Said = """
        Running 5s test @ http://127.0.0.1:8080/
          1 threads and 64 connections
          Thread Stats   Avg      Stdev     Max   +/- Stdev
            Latency     2.93ms    2.35ms  41.96ms   91.97%
            Req/Sec    22.71k     2.91k   26.22k    74.00%
          Latency Distribution
             50%  850.00us
             75%    3.16ms
             90%    4.82ms
             99%    1.25s
          113204 requests in 5.02s, 44.16MB read
        Requests/sec:  22551.43
        Transfer/sec:      8.80MB
        """;

    [Fact]
    public void Rate_and_percentiles_are_read_in_the_units_they_come_in() =>
        Assert.Equal(new Wrk(22551.43, 0.85, 1250, 0), Wrk.Parse(Said));

    [Fact]
    public void Refused_requests_and_broken_sockets_are_errors() =>
        Assert.Equal(16, Wrk.Parse(Said + "\n  Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 10\n")?.Errors);

    [Fact]
    public void Without_a_result_there_is_none() => Assert.Null(Wrk.Parse("unable to connect to 127.0.0.1:8080 Connection refused\n"));

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n", null)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", 27)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", null)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 41)]
    public void The_app_knows_where_a_request_ends(string received, int? length) =>
        Assert.Equal(length, AppRequest.LengthOf(Encoding.ASCII.GetBytes(received)));
}
