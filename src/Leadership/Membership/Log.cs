using Microsoft.Extensions.Logging;

namespace Mirror.Leadership.Membership;

internal static partial class Log
{
    [LoggerMessage(2051, LogLevel.Information, "Member {Member} is {State} (was {Before})", EventName = "MemberIs")]
    public static partial void MemberIs(ILogger logger, string member, string state, string before);

    [LoggerMessage(2052, LogLevel.Warning, "What {Node} says of site {Site} can't be understood; it is ignored. Do the members run versions too far apart?", EventName = "NotUnderstood")]
    public static partial void NotUnderstood(ILogger logger, string node, string site);

    [LoggerMessage(2053, LogLevel.Error, "The word on {Key} could not be spread", EventName = "NotSpread")]
    public static partial void NotSpread(ILogger logger, string key, Exception failure);

    [LoggerMessage(2054, LogLevel.Information, "No other member answers: {Member} begins the cluster", EventName = "BeginsCluster")]
    public static partial void Begins(ILogger logger, string member);

    [LoggerMessage(2055, LogLevel.Warning, "Cluster membership starts anew: {Reason}", EventName = "StartsAnew")]
    public static partial void StartsAnew(ILogger logger, string reason);

    [LoggerMessage(2056, LogLevel.Warning, "Taking leave of the cluster took longer than {Within}; the others will see this member as unreachable", EventName = "LeaveTookTooLong")]
    public static partial void LeaveTookTooLong(ILogger logger, TimeSpan within);

    [LoggerMessage(2057, LogLevel.Error, "Cluster membership could not start; it is tried again", EventName = "NotStarted")]
    public static partial void NotStarted(ILogger logger, Exception failure);

    [LoggerMessage(2059, LogLevel.Warning, "Configurations differ: {What}", EventName = "ConfigDiffers")]
    public static partial void Differs(ILogger logger, string what);

    [LoggerMessage(2060, LogLevel.Information, "The configuration of {Member} says the same again", EventName = "ConfigAgrees")]
    public static partial void Agrees(ILogger logger, string member);

    [LoggerMessage(2061, LogLevel.Error, "{What} {Consequence}", EventName = "Namesake")]
    public static partial void Namesake(ILogger logger, string what, string consequence);

    [LoggerMessage(2058, LogLevel.Warning, "Refused {Peer} at the cluster port: {Why}", EventName = "PeerRefused")]
    public static partial void Refused(ILogger logger, string peer, string why);
}
