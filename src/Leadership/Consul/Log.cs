using Microsoft.Extensions.Logging;

namespace Mirror.Leadership.Consul;

internal static partial class Log
{
    [LoggerMessage(2101, LogLevel.Information, "Site {Site}: {Sentence}", EventName = "LockTurn")]
    public static partial void Turn(ILogger logger, string site, string sentence);

    [LoggerMessage(2104, LogLevel.Warning, "That the lock of site {Site} in epoch {Epoch} is held could not be confirmed: {Why}", EventName = "LockNotConfirmed")]
    public static partial void NotConfirmed(ILogger logger, string site, ulong epoch, string why);

    [LoggerMessage(2105, LogLevel.Information, "That the lock of site {Site} in epoch {Epoch} is held is confirmed again", EventName = "LockConfirmedAgain")]
    public static partial void ConfirmedAgain(ILogger logger, string site, ulong epoch);

    [LoggerMessage(2106, LogLevel.Warning, "Somebody else wrote the key {Key} in Consul, whose lock is held here; it is written anew", EventName = "LockOverwritten")]
    public static partial void Overwritten(ILogger logger, string key);

    [LoggerMessage(2107, LogLevel.Information, "The lock of site {Site} in epoch {Epoch} was given back (successor: {Successor})", EventName = "LockGivenBack")]
    public static partial void GivenBack(ILogger logger, string site, ulong epoch, string? successor);

    [LoggerMessage(2108, LogLevel.Warning, "The lock of site {Site} in epoch {Epoch} could not be given back, others wait for it to run out: {Why}", EventName = "LockNotGivenBack")]
    public static partial void NotGivenBack(ILogger logger, string site, ulong epoch, string why);

    [LoggerMessage(2109, LogLevel.Warning, "That version {Version} of site {Site} is consistent could not be noted in Consul yet: {Why}", EventName = "ConsistencyNotNoted")]
    public static partial void NotNoted(ILogger logger, string site, string version, string why);

    [LoggerMessage(2110, LogLevel.Warning, "Consul is not told of the services of {Member}: {Why}", EventName = "ServicesNotTold")]
    public static partial void NotTold(ILogger logger, string member, string why);

    [LoggerMessage(2111, LogLevel.Information, "Consul is told of the services of {Member}", EventName = "ServicesTold")]
    public static partial void Told(ILogger logger, string member);

    [LoggerMessage(2112, LogLevel.Information, "What was asked for the lock of site {Site} in vain is left to run out: {Why}", EventName = "LockNotWithdrawn")]
    public static partial void NotWithdrawn(ILogger logger, string site, string why);
}
