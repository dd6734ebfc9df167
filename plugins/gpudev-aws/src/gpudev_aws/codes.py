"""What the codes and exceptions of AWS mean, as tables; `errors` makes errors of them. Data alone.

Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and `CommonErrors` of each API's reference
"""

from __future__ import annotations

import attrs

from gpudev_sdk.errors import Conflict, GpudevError, NoCapacity, TryLater, Unworkable

#: Mended by somebody: asked again now and then, so that what waits goes on when it is.
_BY_HAND = 30.0
_SOON = 2.0

_LOGIN = (
    "Give the service an IAM role (docs/plugins/aws.md, IRSA); on your own machine: aws sso login, or aws configure."
)
_CLOCK = "Set the clock of this machine: timedatectl set-ntp true."
_WHERE = "See that `region` (and `endpoint`, if it is set) of the backend is right, and that this machine reaches it."
_RAISE = "Ask for more in the Service Quotas console of that region, or remove what is not needed."
_OURS = "This is a fault of gpudev-aws, or of the settings of the backend: report it with this message."


@attrs.frozen
class Meaning:
    """The error that an answer becomes.

    In its texts `{what}` is what we wanted, `{action}` the permission that it takes, and `{said}` what AWS says.
    """

    kind: type[GpudevError]
    message: str
    hint: str
    #: For `TryLater`: seconds.
    delay: float = _BY_HAND


NO_CREDENTIALS = Meaning(TryLater, "there are no credentials for AWS, so we cannot {what}", _LOGIN)
BAD_CREDENTIALS = Meaning(
    TryLater, "AWS does not know our credentials, so we cannot {what}: they are wrong or were removed", _LOGIN
)
EXPIRED = Meaning(TryLater, "our credentials for AWS have expired, so we cannot {what}", _LOGIN)
SKEWED = Meaning(TryLater, "the clock of this machine is wrong{off}, so AWS refuses all we sign: cannot {what}", _CLOCK)
DENIED = Meaning(
    TryLater,
    "AWS does not allow us to {what}: the permission {action} is missing",
    "Allow {action} to the role that gpudev uses: docs/plugins/aws.md has the whole policy.",
)
ENDPOINT_DOWN = Meaning(TryLater, "AWS does not answer, so we cannot {what}", _WHERE, _SOON)
WRONG_REGION = Meaning(TryLater, "AWS has no such region, or not this service in it, so we cannot {what}", _WHERE)
NOT_ENABLED = Meaning(
    TryLater,
    "the account may not use this region or service, so we cannot {what}",
    "Enable the region in the account's settings, or set another `region`.",
)
TOO_MUCH = Meaning(
    TryLater, "AWS says that the account calls it too often; to {what} is tried again", "Nothing: it goes on by itself.", 5.0
)  # fmt: skip
BROKEN = Meaning(
    TryLater, "AWS has trouble of its own, so we cannot {what} now", "Nothing: it is tried again by itself.", 5.0
)
LOST = Meaning(
    TryLater,
    "the answer of AWS was lost, so it is not known whether we could {what}",
    "Nothing: it is looked for, and made only if it is not there.",
    _SOON,
)
QUOTA = Meaning(NoCapacity, "a quota of the AWS account is used up, so we cannot {what}: {said}", _RAISE)
NO_ROOM = Meaning(
    NoCapacity, "AWS has no capacity to {what} there now: {said}", "Wait, or ask for another type or zone."
)
BUSY = Meaning(Conflict, "it is in use, so we cannot {what}: {said}", "Detach it first, or wait until it is let go.")
NOT_YET = Meaning(
    TryLater, "it is in a state in which we cannot {what} yet: {said}", "Nothing: it is tried again.", 3.0
)
CHANGED = Meaning(Conflict, "it was changed meanwhile, so we cannot {what}", "Look again, and decide anew.")
TOKEN = Meaning(
    TryLater,
    "we asked AWS before to {what}, with other words, and do not see yet what became of it",
    "Nothing: it is looked for again.",
    _SOON,
)
KEY = Meaning(
    Unworkable,
    "the KMS key cannot be used, so we cannot {what}: {said}",
    "See that `kms_key` names an enabled key of that region, and that its policy lets our role use it.",
)
REFUSED = Meaning(Unworkable, "AWS refuses to {what}: {said}", _OURS)
SETUP = Meaning(TryLater, "boto3 cannot start as it is set up here, so we cannot {what}: {said}", _LOGIN)
OURS = Meaning(TryLater, "gpudev-aws asked AWS wrongly to {what}: {said}", _OURS)
UNKNOWN = Meaning(
    TryLater, "AWS could not {what}, and says only: {said}", "It is tried again; if it stays, report it.", 10.0
)

#: There is no such thing: AWS named it and said so. Told apart from all else, because nothing else means absent.
ABSENT = frozenset(
    {
        "InvalidVolume.NotFound", "InvalidSnapshot.NotFound", "InvalidInstanceID.NotFound", "InvalidAttachment.NotFound",
        "InvalidCapacityReservationId.NotFound", "InvalidSpotInstanceRequestID.NotFound", "ResourceNotFoundException",
        "NoSuchKey", "NoSuchUpload", "FileSystemNotFound", "AccessPointNotFound", "MountTargetNotFound", "NoSuchEntity",
    }
)  # fmt: skip
#: An S3 HEAD has no body to say a code in; believed only with AWS's own request id, as a proxy answers 404 too.
ABSENT_BY_STATUS = "404"

THROTTLED = frozenset(
    {
        "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
        "RequestThrottledException", "TooManyRequestsException", "SlowDown", "EC2ThrottledException",
        "BandwidthLimitExceeded", "LimitExceeded", "SnapshotCreationPerVolumeRateExceeded", "PriorRequestNotComplete",
        "429",
    }
)  # fmt: skip

_BY_MEANING: tuple[tuple[Meaning, tuple[str, ...]], ...] = (
    (TOO_MUCH, tuple(sorted(THROTTLED))),
    (BAD_CREDENTIALS, (
        "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "SignatureDoesNotMatch",
        "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "InvalidIdentityToken", "IDPRejectedClaim", "InvalidToken",
        "NotAuthorizedException", "PendingVerification", "401",
    )),
    (EXPIRED, ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")),
    (SKEWED, ("RequestTimeTooSkewed", "RequestInTheFuture")),
    (DENIED, (
        "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "UnauthorizedException", "Client.UnauthorizedOperation",
        "AuthorizationError", "NotAuthorized", "403",
    )),
    (NOT_ENABLED, (
        "OptInRequired", "SubscriptionRequiredException", "Blocked", "RegionDisabledException", "InvalidRegion",
        "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException",
    )),
    (BROKEN, (
        "InternalError", "InternalFailure", "InternalServerError", "InternalServerErrorException", "ServerException",
        "Unavailable", "ServiceUnavailable", "ServiceUnavailableException", "IDPCommunicationError", "RequestTimeout",
        "RequestTimeoutException", "ClientException", "500", "502", "503", "504",
    )),
    (QUOTA, (
        "VolumeLimitExceeded", "SnapshotLimitExceeded", "MaxIOPSLimitExceeded", "ResourceLimitExceeded",
        "TagLimitExceeded", "InstanceLimitExceeded",
        "VcpuLimitExceeded", "MaxSpotInstanceCountExceeded", "ServiceQuotaExceededException", "LimitExceededException",
        "ResourceLimitExceededException", "ResourceCountLimitExceeded", "AttachmentLimitExceeded", "FileSystemLimitExceeded",
        "AccessPointLimitExceeded", "ThroughputLimitExceeded", "NetworkInterfaceLimitExceeded", "TooManyBuckets",
    )),
    (NO_ROOM, (
        "InsufficientVolumeCapacity", "InsufficientInstanceCapacity", "InsufficientCapacity", "InsufficientCapacityException",
        "InsufficientHostCapacity", "InsufficientReservedInstanceCapacity", "InsufficientAddressCapacity",
        "InsufficientFreeAddressesInSubnet", "InsufficientThroughputCapacity", "ReservationCapacityExceeded",
        "SpotMaxPriceTooLow", "Unsupported",
    )),
    (BUSY, (
        "VolumeInUse", "InvalidSnapshot.InUse", "ResourceInUseException", "FileSystemInUse", "DependencyViolation",
        "BucketNotEmpty", "MountTargetConflict",
    )),
    (NOT_YET, (
        "IncorrectState", "IncorrectInstanceState", "IncorrectModificationState", "InvalidVolume.Busy",
        "IncorrectFileSystemLifeCycleState", "OperationAborted", "ScalingActivityInProgress", "ResourceContention",
        "ResourceNotReadyException", "InvalidInstanceState", "OperationInProgress", "ConcurrentSnapshotLimitExceeded",
        "PendingSnapshotLimitExceeded",
    )),
    (CHANGED, (
        "PreconditionFailed", "ConditionalRequestConflict", "412", "409", "ConcurrentModificationException", "ConflictException",
        "FileSystemAlreadyExists", "AccessPointAlreadyExists", "AlreadyExists", "BucketAlreadyExists", "BucketAlreadyOwnedByYou",
        "EntityAlreadyExists",
    )),
    (TOKEN, ("IdempotentParameterMismatch", "IdempotentInstanceTerminated", "IdempotentParameterMismatchException")),
    (KEY, (
        "InvalidKmsKey.NotFound", "InvalidKmsKey.InvalidState", "InvalidKmsKeyId", "KMSKeyNotAccessibleFault",
        "KMS.NotFoundException", "KMS.DisabledException", "KMS.InvalidStateException", "KMS.AccessDeniedException",
        "KMS.KMSInvalidStateException",
    )),
    (REFUSED, (
        "InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination", "InvalidParameterException",
        "MissingParameter", "InvalidParameterDependency", "UnknownParameter", "ValidationError", "ValidationException",
        "BadRequest", "InvalidRequest",
        "InvalidRequestException", "InvalidVolumeID.Malformed", "InvalidSnapshotID.Malformed", "InvalidVolumeID.ZoneMismatch",
        "InvalidVolume.ZoneMismatch", "InvalidZone.NotFound", "OperationNotPermitted",
        "UnsupportedOperation", "InvalidAction", "MalformedQueryString", "InvalidFilter", "InvalidTagKey.Malformed",
        "InvalidBucketName",
        "MalformedPolicyDocument", "VolumeTypeNotAvailableInZone", "InvalidInput", "400", "405",
    )),
)  # fmt: skip

#: What a code means. One that is in no table is `UNKNOWN`.
CODES: dict[str, Meaning] = {code: meaning for meaning, codes in _BY_MEANING for code in codes}

#: What botocore's own exceptions mean, by class; the nearest base in the table counts, so what is new is at least unknown.
EXCEPTIONS: dict[str, Meaning] = {
    name: meaning
    for meaning, names in (
        (NO_CREDENTIALS, (
            "NoCredentialsError", "NoAuthTokenError", "PartialCredentialsError", "UnknownCredentialError", "ProfileNotFound",
            "CredentialRetrievalError", "MetadataRetrievalError", "SSOTokenLoadError", "LoginTokenLoadError",
            "LoginInsufficientPermissions", "LoginAuthorizationCodeError", "UnknownTokenProviderError", "SSOError", "LoginError",
            "RefreshWithMFAUnsupportedError", "TokenRetrievalError", "InvalidIMDSEndpointError", "InvalidIMDSEndpointModeError",
        )),
        (EXPIRED, ("UnauthorizedSSOTokenError", "LoginRefreshRequired")),
        (WRONG_REGION, (
            "NoRegionError", "UnknownRegionError", "InvalidRegionError", "ServiceNotInRegionError", "UnknownEndpointError",
            "BaseEndpointResolverError", "EndpointProviderError",
        )),
        (ENDPOINT_DOWN, ("ConnectionError",)),
        (LOST, (
            "HTTPClientError", "ResponseParserError", "ChecksumError", "FlexibleChecksumError", "IncompleteReadError",
            "ResponseStreamingError", "EventStreamError",
        )),
        (TOO_MUCH, ("CapacityNotAvailableError",)),
        (SETUP, (
            "ConfigParseError", "ConfigNotFound", "InvalidConfigError", "InvalidProxiesConfigError", "MissingDependencyException",
            "InvalidRetryConfigurationError", "InvalidDefaultsMode", "InvalidEndpointConfigurationError",
            "InvalidChecksumConfigError", "InvalidSTSRegionalEndpointsConfigError", "InvalidS3UsEast1RegionalEndpointConfigError",
            "DataNotFoundError", "OSError",
        )),
        (OURS, ("ParamValidationError", "ValidationError", "MissingParametersError", "UndefinedModelAttributeError")),
        (UNKNOWN, ("Exception",)),
    )
    for name in names
}  # fmt: skip
